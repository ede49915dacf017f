"""What the page says of searches is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import train
from scoring.models import discover
from tests.support import ROOT
from training.fit import estimators, spaces
from training.run import Options
from training.search.run import _space
from training.search.verdict import Asked

PAGE = (ROOT / "docs/search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python train\.py .*$", PAGE, flags=re.M)
[TOML] = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_page_begins_a_search(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its options go together, and each estimator takes what it would be tried with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.toml").write_text(TOML)
    seen: list[Options] = []
    monkeypatch.setattr(train, "train", seen.append)
    train.main(shlex.split(command)[2:])
    [options] = seen
    assert options.search is not None
    asked = Asked(
        settings=options.search, model=options.model, frame=None, digests={},  # type: ignore[arg-type]
        estimator=options.estimator, parameters={}, seed=1, output=tmp_path, log=len,
    )  # fmt: skip
    task = estimators.task_of(options.model)
    for name in [options.estimator] if options.estimator else estimators.searched(task):
        assert _space(asked, name)


def test_the_file_and_the_words_of_the_page_mean_the_same(tmp_path: Path) -> None:
    """TOML, and the command line's form of each of its lines."""
    (tmp_path / "space.toml").write_text(TOML)
    [line] = re.findall(r"^A JSON file .*$", PAGE, flags=re.M)
    words = re.findall(r"`([^`]+)`", line)
    assert len(words) == 3
    assert spaces.read(words) == spaces.read([str(tmp_path / "space.toml")])


def test_the_page_names_each_option_and_each_quick_estimator() -> None:
    """Those of the group `search`, and those that a search tries which is told none."""
    groups = {group.title: group for group in train.parser()._action_groups}
    options = {option for a in groups["search"]._group_actions for option in a.option_strings}
    said = set(re.findall(r"`(--[a-z-]+)[ `]", PAGE.partition("## What is tried")[0]))
    assert said - {"--estimator", "--param"} == options
    [line] = re.findall(r"^Without `--estimator`.*?What", PAGE, flags=re.M | re.S)
    ride, churn = (discover()[name] for name in ("ride", "churn"))
    named = [name for name in re.findall(r"`([^`]+)`", line) if name != "--estimator"]
    both = estimators.searched(estimators.task_of(ride)) + estimators.searched(
        estimators.task_of(churn)
    )
    assert named[: len(both)] == both
