"""API keys: a file of hashes lets in whom it names, and nobody else."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import Forbidden, SettingsError, Unauthorised
from serving import auth as keys
from serving.auth import ApiKeys


def write(path: Path, *lines: str) -> Path:
    """Write a file as a careful operator does, aside and then renamed."""
    aside = path.with_suffix(".new")
    aside.write_text("\n".join(lines) + "\n")
    aside.replace(path)
    return path


def digest(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "keys",
        "# who        what     which",
        f"shop     predict  {digest('one')}",
        "",
        f"watcher  admin    {digest('two')}",
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the file is looked for at every request."""
    monkeypatch.setattr(keys, "_LOOK_AGAIN_S", 0.0)


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "name"),
    [
        ("Bearer one", None, "shop"),
        ("bearer  two ", None, "watcher"),
        (None, "one", "shop"),
        ("Basic " + base64.b64encode(b"anyone:two").decode(), None, "watcher"),
        ("Bearer wrong", "one", "shop"),
    ],
    ids=["bearer", "spelling", "header", "basic", "header first"],
)
def test_a_known_key_is_named(
    file: Path, authorization: str | None, x_api_key: str | None, name: str
) -> None:
    """However it comes."""
    assert ApiKeys(file).admit("/predict", authorization, x_api_key) == name


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [(None, None), ("", ""), ("Bearer", None), ("Bearer three", None), (None, "three"),
     ("Bearer " + digest("one"), None), ("Basic %%%", None), ("Basic b25l", None),
     ("Basic /w==", None), ("Digest one", None), ("one", None), (None, "\ud800")],
)  # fmt: skip
def test_without_a_known_key_nobody_is_let_in(
    file: Path, authorization: str | None, x_api_key: str | None
) -> None:
    """None, another's, the hash instead of the key, or one that cannot be read."""
    with pytest.raises(Unauthorised):
        ApiKeys(file).admit("/predict", authorization, x_api_key)


def test_probes_need_no_key_and_metrics_an_admins(file: Path) -> None:
    """Load balancers have none; what tells of the whole traffic is for those who run it."""
    known = ApiKeys(file)
    for path in ("/ping", "/health/live", "/health/ready"):
        assert known.admit(path, None, None) is None
    with pytest.raises(Forbidden):
        known.admit("/metrics", "Bearer one", None)
    assert known.admit("/metrics", "Bearer two", None) == "watcher"


@pytest.mark.usefixtures("impatient")
def test_a_changed_file_is_read_again(file: Path) -> None:
    """A new key is let in, one that is gone is not."""
    known = ApiKeys(file)
    write(file, f"other predict {digest('three')}")
    assert known.admit("/predict", "Bearer three", None) == "other"
    with pytest.raises(Unauthorised):
        known.admit("/predict", "Bearer one", None)


def bearer(key: bytes) -> dict[bytes, bytes]:
    return {b"host": b"x", b"authorization": b"Bearer " + key}


def test_headers_that_were_admitted_are_not_hashed_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the file changes, and for the path that they were admitted to."""
    known = ApiKeys(file)
    assert known.admit_again("/predict", bearer(b"one")) == "shop"
    hashed: list[bytes] = []
    sha256 = hashlib.sha256

    def counted(data: bytes) -> Any:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    assert known.admit_again("/predict", bearer(b"one")) == "shop"
    assert not hashed
    with pytest.raises(Forbidden):
        known.admit_again("/metrics", bearer(b"one"))
    for _ in range(2):
        with pytest.raises(Unauthorised):
            known.admit_again("/predict", bearer(b"three"))
    assert hashed == [b"one", b"three", b"three"]
    write(file, f"other predict {'sha256:' + sha256(b'three').hexdigest()}")
    known._looked = 0.0
    with pytest.raises(Unauthorised):
        known.admit_again("/predict", bearer(b"one"))
    assert known.admit_again("/ping", {}) is None


def test_what_is_remembered_of_keys_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, and by the length of each."""
    monkeypatch.setattr(keys, "_MAX_REMEMBERED", 3)
    known = ApiKeys(file)
    for spaces in range(1, 8):
        assert known.admit_again("/predict", bearer(b" " * spaces + b"one")) == "shop"
        assert 1 <= len(known._known.admitted) <= 3
    before = dict(known._known.admitted)
    assert known.admit_again("/predict", bearer(b" " * 600 + b"one")) == "shop"
    assert known._known.admitted == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("damage", ["gone", "empty", "garbage"])
def test_a_file_that_cannot_be_used_locks_nobody_out(
    file: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys stay, the log says once what is wrong, and a mended file counts."""
    known = ApiKeys(file)
    if damage == "gone":
        file.unlink()
    else:
        write(file, "" if damage == "empty" else "nonsense")
    for _ in range(3):
        assert known.admit("/predict", "Bearer one", None) == "shop"
    assert len([r for r in caplog.records if "stay valid" in r.getMessage()]) == 1
    write(file, f"other predict {digest('three')}")
    assert known.admit("/predict", "Bearer three", None) == "other"


def test_the_file_is_not_read_at_every_request(file: Path) -> None:
    """Nor even looked at: at most once a second."""
    known = ApiKeys(file)
    known._looked = time.monotonic() + 100
    file.unlink()
    assert known.admit("/predict", "Bearer one", None) == "shop"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "there is no key in it"),
        (["# only words"], "there is no key in it"),
        ([f"a predict {digest('x')}", "b predict plain"], "line 2 is not NAME"),
        ([f"a everything {digest('x')}"], "line 1 is not NAME"),
        ([f"a predict {digest('x')}", f"a admin {digest('y')}"], "line 2 has the name a again"),
        ([f'"a\nb" predict {digest("x")}'], "line 1 is not NAME"),
    ],
    ids=["empty", "comments", "plain", "scope", "twice", "newline"],
)
def test_a_file_that_cannot_be_used_stops_the_start(
    tmp_path: Path, lines: list[str], why: str
) -> None:
    """With the line, and never with what stands there."""
    with pytest.raises(SettingsError, match=why) as caught:
        ApiKeys(write(tmp_path / "keys", *lines))
    assert "plain" not in str(caught.value)


def test_a_file_in_another_encoding_is_read_or_named(tmp_path: Path) -> None:
    """A byte order mark, as Windows' editors write it, is no part of a name; UTF-16 is refused in
    words that say what to do."""
    line = f"shop predict {digest('one')}\r\n"
    path = tmp_path / "keys"
    path.write_bytes(line.encode("utf-8-sig"))
    assert ApiKeys(path).admit("/predict", "Bearer one", None) == "shop"
    path.write_bytes(line.encode("utf-16"))
    with pytest.raises(SettingsError, match="it is not UTF-8: byte 0 .* save it as UTF-8"):
        ApiKeys(path)


def test_a_file_of_other_bytes_stops_the_start(tmp_path: Path) -> None:
    """As does a folder."""
    (tmp_path / "bytes").write_bytes(os.urandom(64) + b"\xff")
    for path in (tmp_path / "bytes", tmp_path):
        with pytest.raises(SettingsError, match="API_KEYS_FILE="):
            ApiKeys(path)


def test_a_key_is_made_and_let_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints it once, with the line that lets it in."""
    keys.main(["new", "--admin"])
    shown, line = capsys.readouterr().out.splitlines()
    key = shown.partition(": ")[2]
    assert len(key) == 43
    known = ApiKeys(write(tmp_path / "keys", line.partition(": ")[2]))
    assert known.admit("/metrics", f"Bearer {key}", None) == "new"
    keys.main(["other"])
    assert " predict sha256:" in capsys.readouterr().out


def test_a_name_that_would_break_the_log_makes_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Names are letters, digits and signs."""
    with pytest.raises(SystemExit):
        keys.main(['a"b'])
    assert "cannot be a key" in capsys.readouterr().err
