"""The page of docs/pipeline.md: its commands are ours, its settings are the defaults."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from pipeline import commands
from pipeline.cli import _parser
from pipeline.config import Config
from tests.support import ROOT

PAGE = (ROOT / "docs/pipeline.md").read_text(encoding="utf-8")
# what the page says holds for nobody by default
EXAMPLES = {"folder", "limits", "segments", "max_bytes", "max_us"}


@pytest.mark.slow
def test_each_command_of_the_page_is_taken() -> None:
    """And each of ours is on it."""
    found = [
        shlex.split(line, comments=True)[3:]
        for line in PAGE.splitlines()
        if line.startswith("python -m pipeline ")
    ]
    for words in found:
        _parser().parse_args(words)
    assert {words[0] for words in found} == {command.name for command in commands.ALL}


def test_the_settings_of_the_page_are_the_defaults() -> None:
    """All of them, but for the examples that the page names as such."""
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = tomllib.loads(text)["ride"]
    defaults = Config().model_dump(mode="json")
    assert set(shown) == set(defaults)
    for part, values in shown.items():
        Config.model_validate({part: values})
        assert {name: value for name, value in values.items() if name not in EXAMPLES} == {
            name: defaults[part][name] for name in values if name not in EXAMPLES
        }
        hidden = {name for name in defaults[part] if name not in values}
        assert hidden <= {
            "mirror",
            "estimator",
            "parameters",
            "max_memory_mb",
            "max_us",
            "max_bytes",
        }, part
