"""What the figures of scoring files come to."""

from __future__ import annotations

from typing import Any

from benchmarks import batch_report

ONE = {"rows": 2e6, "seconds": 3.0, "work": 2.0}  # a million rows/s after a second
SPARK = {"rows": 2e6, "work": 4.0}


def results(spark_start: float | None) -> dict[str, Any]:
    """Return figures of one round."""
    found = {
        "ride: the tutorial's way": [{"rows": 2e6, "seconds": 31.0, "work": 30.0}],
        "ride: batch": [ONE],
        "ride: Spark, pandas_udf with scikit-learn": [{"rows": 2e6, "work": 8.0}],
        "ride: Spark, batch": [SPARK],
    }
    return {"found": found, "spark_start": spark_start}


def test_it_says_from_how_many_rows_on_spark_pays() -> None:
    """Where it starts eight seconds later and has half the speed: never with the same cores; with
    four times as many it gains half a second a million rows."""
    said = batch_report.pays(results(9.0))
    assert "with the same cores never, with 4 times the cores from 16 million rows on" in said
    assert "with 16 times the cores from 9 million rows on" in said
    assert batch_report.pays(results(None)) == "Spark was not measured in this run."


def test_it_says_what_is_reached() -> None:
    """After the start of both, as one that is long hides how fast the work is."""
    assert batch_report.verdicts(results(9.0)) == [
        "ride: batch: 15 times its rival after the start, reached 15",
        "ride: Spark, batch: 2 times its rival after the start, BELOW 2.3",
    ]
