"""The sizes that docs/formats.md tells are those of what is written today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from tests.support import ROOT
from training.export.formats import FORMATS
from training.export.reading import read_form
from training.run import Options, train

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("name", ["ride", "churn"])
def test_the_sizes_of_the_page_are_those_of_the_samples_models(name: str, tmp_path: Path) -> None:
    """Within three in a hundred: weights have more or fewer digits where other libraries fit
    them."""
    section = PAGE.partition("## Sizes")[2].partition("## Speed")[0]
    titles = re.findall(r"\| `(\w+)`", section.partition("|---")[0])
    [row] = re.findall(rf"^\| {name}, .*$", section, flags=re.M)
    told = [int(cell.replace(",", "")) for cell in row.split("|")[2:-1]]
    model = discover()[name]
    manifest = train(Options(model=model, output=tmp_path, log=lambda _line: None))
    assert manifest.compiled
    form = read_form(Predictor.from_folder(tmp_path / name, model))
    made = [(tmp_path / name / manifest.compiled.file).stat().st_size]
    for title in titles:
        files = FORMATS["sql-duckdb" if title == "sql" else title].files(form)
        made.append(sum(map(len, files.values())))
    assert told == [pytest.approx(size, rel=0.03) for size in made]
    assert len(told) == 7
