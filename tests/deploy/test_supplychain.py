"""make audit and make sbom: what they say of the lock, of our code, of an unusable answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.supplychain import audit, image, sbom
from deploy.supplychain.__main__ import main
from deploy.supplychain.image import Contents, ImageError
from deploy.supplychain.lock import GROUPS, LockError, requirements, unhashed
from tests.support import ROOT

GOOD = {"version": "==1.0", "hashes": ["sha256:" + "0" * 64]}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_package_of_the_lock_has_hashes() -> None:
    """So that only the bytes that were locked are installed."""
    assert unhashed() == []


@pytest.mark.parametrize(
    "entry",
    [
        {"version": "==1.0"},
        {"version": "==1.0", "hashes": []},
        {"version": "==1.0", "hashes": ["md5:" + "0" * 32]},
        {"version": "*", "hashes": GOOD["hashes"]},
        {"git": "https://git.example/some.git", "ref": "main"},
        {"path": "./elsewhere"},
    ],
)
def test_a_package_that_is_not_pinned_to_its_bytes_is_named(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    """One version and a sha256 are asked for; our own folder needs neither."""
    ours = {"editable": True, "path": "./web-service"}
    lock = {"_meta": {"hash": {}}, "default": {"good": GOOD, "bad": entry}, "develop": {"o": ours}}
    path = tmp_path / "Pipfile.lock"
    path.write_text(json.dumps(lock))
    assert unhashed(path) == ["default: bad"]
    assert audit.hashes(path).status == audit.FOUND


@pytest.mark.parametrize("text", ["", "[]", '{"default": 1}', None])
def test_a_lock_that_cannot_be_read_is_no_all_clear(text: str | None, tmp_path: Path) -> None:
    """Empty, of another shape or missing: the audit says that it could not ask."""
    path = tmp_path / "Pipfile.lock"
    if text is not None:
        path.write_text(text)
    assert audit.hashes(path).status == audit.NOT_ASKED


@pytest.mark.long
@pytest.mark.slow
def test_bandit_finds_nothing_in_our_code() -> None:
    """What is left out has its reason in pyproject.toml."""
    status, text = audit.code()
    assert status == audit.CLEAN, text


@pytest.mark.slow
def test_bandit_would_find_something(tmp_path: Path) -> None:
    """A shell command and an eval are named by their numbers."""
    path = tmp_path / "wrong.py"
    path.write_text("import os\n\n\ndef run(word):\n    os.system('ls ' + word)\n    eval(word)\n")
    status, text = audit.code(str(path))
    assert status == audit.FOUND
    assert "B605" in text
    assert "B307" in text


KNOWN = {"name": "flask", "version": "3.1.0", "vulns": []}
SKIPPED = {"name": "flask", "skip_reason": "not found"}
FLAWED = {
    "name": "flask",
    "version": "0.1",
    "vulns": [
        {"id": "CVE-2000-1", "fix_versions": ["0.2"]},
        {"id": "CVE-2000-2", "fix_versions": []},
    ],
}


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"dependencies": [KNOWN]}, audit.CLEAN, "no known vulnerability in 1 packages"),
        ({"dependencies": [KNOWN, SKIPPED]}, audit.NOT_ASKED, "no answer about 1 of 2 packages"),
        ({"dependencies": []}, audit.NOT_ASKED, "no answer"),
        ({"dependencies": [SKIPPED, FLAWED]}, audit.FOUND, "CVE-2000-1, mended in 0.2"),
        ({"dependencies": [FLAWED]}, audit.FOUND, "CVE-2000-2, mended in no version"),
        ([], audit.NOT_ASKED, "the last line"),
    ],
)
def test_only_an_answer_about_every_package_is_an_all_clear(
    answer: object, status: int, words: str
) -> None:
    """A finding outweighs a package without an answer, and that outweighs the rest."""
    found = audit.judge(json.dumps(answer), "first\nthe last line\n")
    assert found.status == status
    assert words in found.text


@pytest.mark.slow
def test_offline_the_audit_says_that_it_could_not_ask() -> None:
    """Over a proxy that is not there: nothing leaves the machine."""
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    code = (
        "from deploy.supplychain.audit import *\n"
        "raise SystemExit(audit((lambda: vulnerabilities('blinker==1.9.0"
        f" --hash=sha256:{'0' * 64}'),)))"
    )
    words = [sys.executable, "-c", code]
    # pip-audit keeps answers for a while: not those of this machine
    quiet = os.environ | nowhere | {"PIP_CACHE_DIR": os.devnull, "NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run(words, capture_output=True, text=True, env=quiet, check=False)
    assert done.returncode == audit.NOT_ASKED
    assert done.stderr.startswith("could not ask for known vulnerabilities")
    assert len(done.stderr.splitlines()) == 1


def always(finding: audit.Finding) -> Callable[[], audit.Finding]:
    return lambda: finding


def test_a_finding_outweighs_a_question_that_was_not_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit status is the worst one, and only what is well goes to the standard output."""
    found = [audit.Finding(status, f"text {status}") for status in (0, 1, 2)]
    assert audit.audit(tuple(map(always, found))) == audit.FOUND
    told = capsys.readouterr()
    assert told.out == "text 0\n"
    assert told.err == "text 1\ntext 2\n"


@pytest.mark.slow
def test_what_is_known_of_the_image_is_nothing_bad() -> None:
    """Asks the world, where it answers; elsewhere `make audit` fails and this is left out."""
    if os.environ.get("AUDIT_ONLINE") != "true":
        pytest.skip("asks PyPI: AUDIT_ONLINE=true")
    status, text = audit.vulnerabilities()
    if status == audit.NOT_ASKED:
        pytest.skip(text)
    assert status == audit.CLEAN, text


@pytest.mark.slow
def test_the_requirements_are_those_that_the_dockerfile_installs() -> None:
    """The default group and the parser, with hashes, and no optional package."""
    text = requirements("packages", "fast")
    assert "flask==" in text
    assert "gunicorn-h1c==" in text
    assert "boto3==" not in text
    assert "--hash=sha256:" in text


def test_every_group_that_an_image_can_hold_is_looked_at() -> None:
    """`make audit` must not pass over what a build argument adds."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    [line] = re.findall(r'groups="(packages .*?)"', text)
    installed = {*re.sub(r"\$\{\w+:\+|\}", "", line).split(), "sklearn"}
    assert installed == set(GROUPS)


def test_without_pipenv_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It names the command that installs it."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(LockError, match="make setup"):
        requirements("packages")


@pytest.mark.long
@pytest.mark.slow
def test_without_an_image_the_bill_is_of_the_lock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every locked package is listed with its hashes, optional ones as optional."""
    path = tmp_path / "dist" / "bill.json"
    assert main(["sbom", "--image", "no-such-image-of-ours", "--output", str(path)]) == 0
    assert "Python packages of the lock" in capsys.readouterr().out
    text = path.read_text(encoding="utf-8")
    assert sbom.problem_of(text) is None
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "prediction-service"
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    parts = {part["name"]: part for part in bill["components"]}
    groups = ["default" if group == "packages" else group for group in GROUPS]
    wanted = {name for group in groups for name in lock[group]}
    assert set(parts) == wanted
    for name, part in parts.items():
        entry = next(lock[group][name] for group in groups if name in lock[group])
        assert part["version"] == entry["version"].removeprefix("==")
        assert part["purl"].startswith(f"pkg:pypi/{name}@")
        [reference] = part["externalReferences"]
        assert {h["content"] for h in reference["hashes"]} == {
            h.removeprefix("sha256:") for h in entry["hashes"]
        }
        always = any(name in lock[group] for group in ("default", "fast", "sklearn"))
        assert part["scope"] == ("required" if always else "optional")


def test_the_schema_would_refuse_what_is_no_bill() -> None:
    """An unknown key is named."""
    text = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "parts": []})
    assert "parts" in (sbom.problem_of(text) or "")


@pytest.mark.long
@pytest.mark.slow
def test_an_image_of_another_lock_is_refused() -> None:
    """What the image leaves out is not in the bill; another version or package is an error."""
    bom = sbom.locked()
    held = {part.name: part.version for part in bom.components}
    del held["boto3"]
    contents = Contents(
        python="3.11.9",
        locked=held,
        base={"pip": "24.0"},
        debian=[("libc6", "2.36-9+deb12u10", "amd64")],
        release="debian-12",
    )
    sbom.keep_installed(bom, contents)
    assert "boto3" not in {part.name for part in bom.components}
    assert {str(part.purl) for part in sbom.of_base(contents)} == {
        "pkg:generic/python@3.11.9",
        "pkg:pypi/pip@24.0",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
    }
    contents.locked.update(flask="0.1", leftpad="1.0")
    with pytest.raises(ImageError, match=r"flask 0\.1, locked is .*leftpad 1\.0, which is not"):
        sbom.keep_installed(bom, contents)


def test_without_docker_there_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bill is of the lock then, instead of a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert image.contents("prediction-service") is None
