"""Published months by their names, from a mirror."""

from pathlib import Path

import pytest

from tests.training.data.publisher import NAME, Answer, Publisher
from training.errors import DownloadError
from training.months import fetched


@pytest.mark.slow
def test_a_month_comes_from_the_mirror_once(
    publisher: Publisher, no_proxy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept in DATA_DIR; one that is not published is an error that says so."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for _ in range(2):
        assert fetched(["2021-04"], publisher.base) == [tmp_path / "green" / NAME]
    assert len(publisher.requests) == 1
    publisher.usual = Answer(status=403)
    with pytest.raises(DownloadError, match="is not published"):
        fetched(["2021-05"], publisher.base)
