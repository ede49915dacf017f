"""What was in a model's folder before: kept when it is replaced, shown on its card."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from sklearn.linear_model import Lasso, Ridge

from scoring.artifact import history
from scoring.artifact.history import HISTORY, former
from scoring.artifact.reading import load
from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.support import write_artifact

RIDE = discover()["ride"]


@pytest.mark.slow
def test_the_version_that_goes_is_kept_with_who_and_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a change, the oldest first; the first version of a folder has none before it."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    first = write_artifact(RIDE, tmp_path)
    folder = tmp_path / "ride"
    assert not (folder / HISTORY).exists()
    second = write_artifact(RIDE, tmp_path, Ridge())
    write_artifact(RIDE, tmp_path, Lasso())
    kept = load(folder, RIDE).former
    assert [one.version for one in kept] == [first.version, second.version]
    assert [one.estimator for one in kept] == ["LinearRegression", "Ridge"]
    assert [(one.by, one.how) for one in kept] == [("ada", "trained")] * 2
    assert kept[0].created == first.created <= kept[0].replaced


@pytest.mark.slow
def test_the_same_pair_again_is_no_change(tmp_path: Path) -> None:
    """A second training on the same data leaves no line."""
    write_artifact(RIDE, tmp_path)
    write_artifact(RIDE, tmp_path)
    assert not (tmp_path / "ride" / HISTORY).exists()


def test_lines_that_cannot_be_read_keep_no_model_from_serving(tmp_path: Path) -> None:
    """A file that somebody edited is shown as far as it can be, and goes on."""
    write_artifact(RIDE, tmp_path)
    folder = tmp_path / "ride"
    (folder / HISTORY).write_bytes(b'half a li\n{"version": 3}\n\xff\n\n')
    assert former(folder) == []
    assert load(folder, RIDE).former == []
    write_artifact(RIDE, tmp_path, Ridge())
    assert [one.estimator for one in former(folder)] == ["LinearRegression"]


@pytest.mark.slow
def test_the_last_versions_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is trained into every day does not grow for ever."""
    monkeypatch.setattr(history, "_KEPT", 1)
    monkeypatch.setattr(getpass, "getuser", nobody)
    for estimator in (None, Ridge(), Lasso()):
        write_artifact(RIDE, tmp_path, estimator)
    assert [(one.estimator, one.by) for one in former(tmp_path / "ride")] == [("Ridge", "")]


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 1234")


@pytest.mark.slow
def test_the_card_shows_them(tmp_path: Path) -> None:
    """Without a registry: what was there, and when it went."""
    first = write_artifact(RIDE, tmp_path)
    write_artifact(RIDE, tmp_path, Ridge())
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    page = client.get("/models/ride/card").text
    assert "Versions before" in page
    assert f'<th scope="row"><code>{first.version}</code></th>' in page
    assert "by one trained" in page
