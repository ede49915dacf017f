"""Addresses and words of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streaming.addresses import Address
from streaming.cli import main
from streaming.errors import UsageError
from streaming.options import parse
from tests.support import ROOT


def test_addresses_are_taken_apart() -> None:
    """Hosts, name, options, login; none of the login is shown."""
    found = Address.parse("redis://me:pa%40ss@h:6379/rides?field=data")
    assert found == Address("redis", "h:6379", "rides", {"field": "data"}, ("me", "pa@ss"))
    assert "pa" not in repr(found) + str(found)
    assert Address.parse("kafka://a:1,b:2/t").hosts == "a:1,b:2"
    assert str(Address.parse("kinesis://rides?region=eu-west-1")) == "kinesis://rides"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://a/b", "begin with kafka://"),
        ("kafka://host:9092", "of the form kafka://HOST:PORT/NAME"),
        ("redis://u:secretpw@/x", "of the form"),
        ("kafka://h/t?sasl.password=abc", "environment"),
    ],
)
def test_a_wrong_address_is_named_without_its_secrets(text: str, words: str) -> None:
    """With the form that it should have."""
    with pytest.raises(UsageError, match=words) as raised:
        Address.parse(text)
    assert "secretpw" not in str(raised.value)
    assert "abc" not in str(raised.value)


@pytest.mark.parametrize(
    "words",
    [
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/a"],
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/b", "--dead-letters", "redis://h/b"],
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/b", "--guarantee", "exactly-once"],
        ["ride", "--source", "kafka://h/a", "--sink", "kafka://i/b", "--guarantee", "exactly-once"],
    ],
    ids=["loop", "same", "redis", "two clusters"],
)  # fmt: skip
def test_words_that_do_not_fit_together_are_refused(words: list[str]) -> None:
    """Before anything is loaded, with status 2."""
    with pytest.raises(UsageError):
        parse(words)
    assert main(words) == 2


@pytest.mark.parametrize("words", [[], ["replay"]], ids=["stream", "replay"])
def test_the_images_word_is_the_same_command(words: list[str]) -> None:
    """`docker run IMAGE stream`: found without a PYTHONPATH."""
    program = str(ROOT / "streaming" / "bin" / "stream")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [program, *words, "--help"], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert "--source" in done.stdout


def test_the_command_needs_no_broker_s_package_to_say_what_it_takes() -> None:
    """Nor Flask, nor gunicorn: a packages list without them would do."""
    code = (
        "import sys; from streaming.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'redis', 'confluent_kafka', 'boto3', 'flask', 'gunicorn', 'numpy'}"
        " & set(sys.modules)))"
    )
    path = f"{ROOT}:{ROOT / 'web-service'}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--dead-letters" in done.stdout
