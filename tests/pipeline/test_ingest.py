"""From files to the parts of a training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import Data
from pipeline.errors import PipelineError
from pipeline.ingest import PARTS, files_of, ingest, months_until, parts_of
from tests.pipeline.support import RIDE, month, months
from tests.training.support import CHURN, customers, saved


def parts(folder: Path, frame: pd.DataFrame, name: str) -> dict[str, set[str]]:
    """Return the customers of each part."""
    place = folder / name
    place.mkdir()
    files = [saved(frame, place / "customers.csv")]
    found = parts_of(ingest(CHURN, files, Data())(place), place)
    return {part: {*pd.read_parquet(found[part][0])["customerID"]} for part in PARTS}


@pytest.mark.slow
def test_a_row_is_in_the_same_part_whenever_it_comes_again(tmp_path: Path) -> None:
    """Rows without times are cut by their digest, about a fifth of them held out."""
    few, many = (parts(tmp_path, customers(rows), str(rows)) for rows in (300, 900))
    assert sum(len(some) for some in many.values()) == 900
    assert 120 < len(many["held_out"]) < 240
    for part in PARTS:
        assert few[part] == many[part] & set().union(*few.values())


@pytest.mark.slow
def test_the_last_rows_of_one_dated_file_are_held_out(tmp_path: Path) -> None:
    """No part has a row that is later than one of the next part."""
    file = saved(month(1, 200).sample(frac=1, random_state=1), tmp_path / "a.parquet")
    found = parts_of(ingest(RIDE, [file], Data())(tmp_path), tmp_path)
    times = [pd.read_parquet(found[part][0])["lpep_pickup_datetime"] for part in PARTS]
    assert [len(some) for some in times] == [120, 40, 40]
    assert times[0].max() < times[1].min() < times[1].max() < times[2].min()


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """In the words of the training."""
    (tmp_path / "a.parquet").write_text("no Parquet")
    with pytest.raises(PipelineError, match="a.parquet is a text and no Parquet file"):
        ingest(RIDE, [tmp_path / "a.parquet"], Data())(tmp_path)


def test_files_are_ordered_by_their_names_and_each_counts_once(tmp_path: Path) -> None:
    """Also where a folder and a file in it are named; what is hidden is left out."""
    for name in ("b.csv", "a.parquet", ".c.csv", "_d.csv", "notes.txt"):
        (tmp_path / name).touch()
    found = files_of([tmp_path / "b.csv", tmp_path], tmp_path / "objects")
    assert [path.name for path in found] == ["a.parquet", "b.csv"]


def test_months_go_back_over_the_end_of_a_year() -> None:
    """The oldest first."""
    assert months_until("2025-02", 3) == ["2024-11", "2024-12", "2025-01", "2025-02"]


@pytest.mark.slow
def test_of_three_files_each_part_has_its_own(tmp_path: Path) -> None:
    """Nothing is copied."""
    files = months(tmp_path, 3)
    found = parts_of(ingest(RIDE, files, Data())(tmp_path), tmp_path)
    assert [found[part] for part in PARTS] == [[file] for file in files]
