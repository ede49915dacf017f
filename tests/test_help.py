"""Each command's `--help` is its own: sentences, and examples that it takes."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
from collections.abc import Sequence

import pytest

from scoring.process.usage import described, of_docstring
from streaming import replay
from tests.support import ROOT

# where the parser is of a command that is not run
PARSERS = {
    "python train.py": "train.parser",
    "python -m batch": "batch.options._parser",
    "python -m batch.spark.bundle": "batch.spark.bundle.parser",
    "python -m batch.worker": "batch.worker.parser",
    "python -m streaming": "streaming.options._parser",
    "python -m monitoring": "monitoring.cli._parser",
    "python -m pipeline": "pipeline.cli._parser",
    "python -m serving.auth": "serving.auth.parser",
    "python -m training.adopt": "training.adopt.parser",
    "python -m training.data": "training.data.__main__.parser",
    "python -m training.export": "training.export.__main__.parser",
    "python -m training.new": "training.new.parser",
    "python -m training.predictionlog": "training.predictionlog.parser",
    "python -m training.published": "training.published.parser",
    "python -m training.registry": "training.registry.parser",
    "python -m training.sample": "training.sample.__main__.parser",
    "python examples/ride.py": "examples.ride.parser",
    "python examples/promote.py": "examples.promote.parser",
}
LARGE = {  # by what they import
    "python -m deploy.bundle": "deploy.bundle.__main__.parser",
    "python -m deploy.supplychain": "deploy.supplychain.__main__.parser",
    "python -m tests.soak": "tests.soak.parser",
    "python -m benchmarks": "benchmarks.__main__.parser",
    "python -m tests.fuzz.decoder": "tests.fuzz.decoder.parser",
    "python -m tests.fuzz.openapi": "tests.fuzz.openapi.parser",
    "python -m tests.fuzz.replay": "tests.fuzz.replay.parser",
    **{
        f"python -m benchmarks.{name}": f"benchmarks.{name}.parser"
        for name in ("batch", "count", "formats", "monitoring", "search", "streaming")
    },
}


def subcommands(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    """Return the parsers of a parser's words, none where it has none."""
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [one for action in found for one in action.choices.values()]


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of a command's words."""
    module, _, name = (PARSERS | LARGE)[command].rpartition(".")
    parser: argparse.ArgumentParser = getattr(importlib.import_module(module), name)()
    return parser


def its_own(command: str) -> None:
    """Hold the help of a command and of its words: a sentence with its stop; each example is a
    command of its own that the parser takes."""
    parser = parser_of(command)
    for one in (parser, *subcommands(parser)):
        text = one.format_help()
        assert re.match(r"[A-Z].*\.$", one.description or "", flags=re.S), one.prog
        _, _, examples = text.partition("\nexamples:\n")
        lines = examples.strip("\n").splitlines()
        assert lines, one.prog
        for line in lines:
            told = re.split(r"  {2,}", line.strip())[0]  # what it does stands behind spaces
            assert told.startswith(command), line
            parser.parse_args(shlex.split(told.removeprefix(command)))


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the repository, with lines that nothing breaks."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "environ", {**os.environ, "COLUMNS": "200"})


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("command", PARSERS)
def test_help_says_what_for_and_gives_examples(command: str) -> None:
    """Of each command for people."""
    its_own(command)


@pytest.mark.slow
@pytest.mark.usefixtures("wide")
def test_help_of_large_commands_is_their_own() -> None:
    """Of each benchmark, and of those of deployments."""
    for command in LARGE:
        its_own(command)


def test_replay_has_a_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Its example is taken by it."""
    with pytest.raises(SystemExit):
        replay.parse(["--help"])
    [example] = re.findall(r"python -m streaming replay (--source.*)", capsys.readouterr().out)
    assert replay.parse(shlex.split(example)).dry_run


def test_a_docstring_is_a_help() -> None:
    """Its first paragraph and those behind the examples are the text; a sentence is made of a
    phrase."""
    made = of_docstring("What for\n\n    one\n    two  with words\n\nMore of it.\n")
    assert made["description"] == "What for\n\nMore of it."
    assert made["epilog"] == "examples:\n  one\n  two  with words"
    assert described("count it")["description"] == "Count it."
    assert described("count it")["epilog"] is None
