"""The commands of docs/adoption.md do what the page says."""

from __future__ import annotations

import json
import pickle
import re
import shlex
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import train
from scoring.models import discover
from scoring.predictor import Predictor
from tests.support import ROOT, tiny_pair
from tests.training.adoption.archives import archive, asked
from tests.training.export.exported import form_of
from tests.training.sketch.tables import write_notebook, write_tips
from training import adopt, new
from training.export.onnx_graph import onnx_files

PAGE = (ROOT / "docs" / "adoption.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m training\.adopt (.+?)(?: +#.*)?$", PAGE, flags=re.M)


def _files(folder: Path) -> None:
    """Put the files that the page's commands name into a folder."""
    dv, ride = tiny_pair(discover()["ride"])
    pair = tiny_pair(discover()["churn"])
    (folder / "lin_reg.bin").write_bytes(pickle.dumps((dv, ride)))
    (folder / "models.pkl").write_bytes(pickle.dumps({"dv": dv, "ridge": ride}))
    (folder / "dv.pkl").write_bytes(pickle.dumps(dv))
    old = archive("1.5")
    (folder / "old.pkl").write_bytes(old.content["churn/forest/pair/0"])
    (folder / "customer.json").write_text(json.dumps(asked("churn")[0]))
    (folder / "model.onnx").write_bytes(onnx_files(form_of("ride", "linear"))["model.onnx"])
    write_tips(folder)
    write_notebook(folder, LinearRegression())
    joblib.dump(ride, folder / "model.joblib", compress=3)
    (folder / "logged").mkdir()
    told = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n"
    (folder / "logged" / "MLmodel").write_text(told)
    (folder / "logged" / "model.pkl").write_bytes(pickle.dumps(make_pipeline(*pair)))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_page_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with the files that it names; what it writes serves."""
    _files(tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    answer = archive("1.5").answers["churn"]["forest"][0]
    words = shlex.split(re.sub(r"customer\.json=\S+", f"customer.json={answer:.4f}", command))
    adopt.main(words)
    model = discover()[words[0]]
    predictor = Predictor.from_folder(tmp_path / "models" / words[0], model)
    assert predictor.one(dict(model.example)).answers


@pytest.mark.slow
def test_a_table_alone_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_plots: None
) -> None:
    """The command of the page for it, and then the one that trains it again."""
    [command] = re.findall(r"^python -m training\.new (.+)$", PAGE, flags=re.M)
    write_tips(tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    new.main(shlex.split(command))
    before = (tmp_path / "models" / "gratuity" / "manifest.json").stat().st_ino
    [again] = re.findall(r"`python train\.py (gratuity [^`]+)`", PAGE)
    train.main(shlex.split(again))
    assert (tmp_path / "models" / "gratuity" / "manifest.json").stat().st_ino != before


def test_the_page_has_commands() -> None:
    """Else the test above would hold of nothing."""
    assert len(COMMANDS) >= 6
