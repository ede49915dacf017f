"""Each command's `--help` is its own: sentences, and examples that it takes."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Sequence

import pytest

import train
from batch import options as batch_options
from monitoring import cli as monitoring_cli
from pipeline import cli as pipeline_cli
from scoring.process.usage import described, of_docstring
from streaming import options as streaming_options
from streaming import replay
from tests.support import ROOT
from training import adopt, new, registry
from training.export import __main__ as export

# what takes the words of a command that is not run
PARSERS = {
    "python train.py": train.parser,
    "python -m batch": batch_options._parser,
    "python -m streaming": streaming_options._parser,
    "python -m monitoring": monitoring_cli._parser,
    "python -m pipeline": pipeline_cli._parser,
    "python -m training.adopt": adopt.parser,
    "python -m training.export": export.parser,
    "python -m training.new": new.parser,
    "python -m training.registry": registry.parser,
}


def subcommands(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    """Return the parsers of a parser's words, none where it has none."""
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [one for action in found for one in action.choices.values()]


@pytest.mark.parametrize("command", PARSERS)
def test_help_says_what_for_and_gives_examples(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence with its stop; each example is a command of its own that the parser takes."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "environ", {**os.environ, "COLUMNS": "200"})
    parser = PARSERS[command]()
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
