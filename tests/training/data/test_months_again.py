"""Months that are here, and are published with other bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.data.mirror import mirror
from tests.training.data.publisher import parquet
from training.errors import DownloadError
from training.months import asked_again, fetched

pytestmark = pytest.mark.slow

MONTH = "2024-04"
NAME = f"green_tripdata_{MONTH}.parquet"


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: None
) -> Iterator[tuple[Path, str]]:
    """The publisher's folder and address; what is downloaded goes to `here`."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "here"))
    with mirror(tmp_path / "there") as found:
        yield found


def test_a_month_that_was_published_anew_is_downloaded_anew(place: tuple[Path, str]) -> None:
    """By the mark that the publisher gives, and by its length where none is known; what is here
    stays where the publisher is away, took it back, or breaks off."""
    folder, url = place
    first = parquet(folder / NAME, seed=1, rows=2000)
    [here] = fetched([MONTH], url)
    marks = asked_again([MONTH], {}, url)
    assert list(marks) == [NAME]
    assert here.read_bytes() == first
    second = parquet(folder / NAME, seed=2, rows=2000)
    others = asked_again([MONTH], marks, url)
    assert others != marks
    assert here.read_bytes() == second
    third = parquet(folder / NAME, seed=3, rows=3000)
    asked_again([MONTH], {}, url)
    assert here.read_bytes() == third
    (folder / NAME).write_bytes(b"no Parquet")
    with pytest.raises(DownloadError):
        asked_again([MONTH], others, url)
    assert here.read_bytes() == third
    (folder / NAME).unlink()
    assert asked_again([MONTH], others, url) == others
    assert asked_again([MONTH], others, "http://127.0.0.1:9") == others
    assert here.read_bytes() == third
    assert not [path.name for path in here.parent.iterdir() if path.name.startswith(".again")]


def test_a_month_whose_checksum_is_known_is_not_asked_for() -> None:
    """No other bytes are that month."""
    assert asked_again(["2021-01"], {}, "http://127.0.0.1:9") == {}
