"""A pair goes out as skops and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.neighbors import KNeighborsRegressor

from scoring.artifact.foreign import read_file
from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.flowers import FLOWERS
from tests.support import write_artifact, write_pair
from tests.training.export.exported import pair_of, predictor_of
from training import adopt
from training.export.__main__ import main
from training.export.form import ExportError
from training.export.skops_pair import _prove, export_skops


@pytest.mark.slow
def test_a_pair_goes_out_and_comes_back_the_same(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The compiled form made of it is the same to the byte."""
    write_artifact(model, tmp_path / "models")
    main([str(tmp_path / "models" / model.name), "--to", "skops", "--output", str(tmp_path / "e")])
    assert "scored by the service's reader" in capsys.readouterr().out
    folder = tmp_path / "e" / f"{model.name}-skops"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["proof"]["equal_within"] == 0
    adopt.main([model.name, str(folder / "model.skops"), "--output", str(tmp_path / "back")])
    [before] = (tmp_path / "models" / model.name).glob("scorer.*")
    after = tmp_path / "back" / model.name / before.name
    assert after.read_bytes() == before.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", ["linear", "forest", "boosting"])
def test_several_classes_go_out_and_come_back(kind: str, tmp_path: Path) -> None:
    """The loss of boosting over several classes too, which keeps no state."""
    write_pair(tmp_path, FLOWERS, pair_of(FLOWERS, kind), golden=[dict(FLOWERS.example)])
    made = export_skops(predictor_of("flowers", kind), tmp_path / "flowers", tmp_path / "out")
    assert made["proof"]["largest_difference"] == 0
    saved, _ = read_file(tmp_path / "out" / "model.skops", FLOWERS)
    assert isinstance(saved.pair, tuple)


def test_what_the_service_would_not_read_is_not_written(tmp_path: Path) -> None:
    """A file that the service's own reader refuses is an error of the export."""
    model = discover()["ride"]
    write_artifact(model, tmp_path)
    predictor = Predictor.from_folder(tmp_path / "ride", model)

    class Other:
        vectorizer: Any = None

    data = skops.io.dumps(KNeighborsRegressor())
    with pytest.raises(ExportError, match="as skops, the pair would not be read again"):
        _prove(model, Other(), data, predictor)  # type: ignore[arg-type]  # not reached
