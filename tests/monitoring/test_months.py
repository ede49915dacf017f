"""The TLC's published months, day by day: what is drift, and that holidays are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from monitoring.compare import compare, significant
from monitoring.entries import Hour, Training
from monitoring.report import report
from monitoring.store import Store
from monitoring.windows import Against, Reference, Window
from scoring.models import discover
from scoring.profiles.fields import field_kinds
from scoring.profiles.numbers import Numbers
from scoring.profiles.profile import Profile, count
from tests.support import DATA_DIR, needs_real_data
from training.data.checks import check
from training.data.tables import read
from training.evaluation.reference import columns_of, reference
from training.sources import WHEN, source_of

RIDE = discover()["ride"]
FILES = {
    month: f"green/green_tripdata_{month}.parquet"
    for month in ("2021-01", "2021-02", "2021-03", "2022-01", "2023-01", "2023-02", "2023-03")
}
pytestmark = [pytest.mark.slow, needs_real_data(*FILES.values())]

HOLIDAYS = [date(2021, 1, 1), date(2021, 1, 18), date(2021, 2, 15), date(2023, 1, 1),
            date(2023, 1, 16), date(2023, 2, 20)]  # fmt: skip
SNOW = date(2021, 2, 2)  # the second day of a storm that closed the city


@dataclass(frozen=True)
class Months:
    """Profiles of the days; of each year the days are answered by what January trained."""

    store: Store
    days: dict[date, Profile]
    trained: dict[int, Reference]


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    """A line over the distance stands for the model: its errors do not matter here."""
    store = Store(str(tmp_path_factory.mktemp("months") / "months.db"))
    days: dict[date, Profile] = {}
    trained: dict[int, Reference] = {}
    for month, name in FILES.items():
        frame = check(read(RIDE, source_of(RIDE), [DATA_DIR / name]), RIDE, source_of(RIDE)).frame
        frame = frame[frame[WHEN].dt.strftime("%Y-%m") == month]
        scores = np.polyval([2.5, 6.0], frame["trip_distance"].to_numpy(float))
        year = int(month[:4])
        if year not in trained:
            profile = reference(RIDE, frame, "validation", frame, scores)
            trained[year] = Reference(month, profile, None, profile.day_to_day)
        days |= dict(by_day(frame, scores, trained[2021].profile))
    with store.writing() as writing:
        for year, known in trained.items():
            digest = str(year).rjust(64, "0")
            writing.add_training(Training(str(year), digest, "January", known.profile))
            some = {day: found for day, found in days.items() if day.year == year}
            writing.add_hours(
                digest, [Hour(str(year), digest, hour(day), some[day]) for day in some]
            )
    return Months(store, days, trained)


def by_day(
    frame: pd.DataFrame, scores: np.ndarray, like: Profile
) -> Iterator[tuple[date, Profile]]:
    """Yield the profile of each day, numbers in the cells of `like`."""
    scales = {n: found.scale for n, found in like.fields.items() if isinstance(found, Numbers)}
    kinds, scales = field_kinds(RIDE), scales | {"": like.score.scale}
    for day, places in frame.groupby(frame[WHEN].dt.date).indices.items():
        assert isinstance(day, date)
        columns = columns_of(frame.iloc[places], kinds)
        yield day, count("ride", columns, scores[places], scales)[0]


def hour(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) // 3600


def state(months: Months, day: date, against: Against) -> str:
    """Return the state of the report of a day."""
    return report(months.store, "ride", 24, hour(day) + 24, against).state


def changed(months: Months, month: str, year: int) -> list[set[tuple[str, str]]]:
    """Return what differs, on each day of a month, from January of this year."""
    return [
        significant(compare(months.trained[year], Window(0, 24, found, [])))
        for day, found in months.days.items()
        if f"{day:%Y-%m}" == month
    ]


def test_holidays_are_no_alarm(months: Months) -> None:
    """New Year, Martin Luther King and Presidents' Day differ for a day at the most; against a
    training, the long weekend of 2023 does for two. A storm is an alarm."""
    found = {(day, against): state(months, day, against)
             for day in HOLIDAYS for against in ("same-weekday", "training")}  # fmt: skip
    alarms = {key for key, one in found.items() if one == "alarm"}
    assert alarms <= {(date(2023, 2, 20), "training")}
    assert state(months, SNOW, "same-weekday") == "alarm"
    assert state(months, SNOW + timedelta(days=7), "same-weekday") != "alarm"


def test_the_months_after_are_like_january_and_the_years_are_not(months: Months) -> None:
    """At the rates that the docs state."""
    for month, warned, alarmed in (("2021-01", 1, 0), ("2021-02", 4, 1), ("2021-03", 1, 0)):
        days = changed(months, month, 2021)
        pairs = sum(bool(before & now) for before, now in pairwise(days))
        assert (sum(map(bool, days)), pairs) == (warned, alarmed), month
    for month in ("2022-01", "2023-01"):
        assert all(changed(months, month, 2021))
