"""What a store gives back of what it was given."""

from __future__ import annotations

from monitoring.entries import Hour, Only
from monitoring.store import Store
from scoring.profiles.profile import add
from tests.monitoring.test_drift import drawn


def test_days_are_the_sums_of_their_hours(store: Store) -> None:
    """Whole days as one part, what is left before and after by the hour; files that come later are
    added, versions are told apart."""
    hours = [Hour("3", "d", hour, drawn(hour, 10)) for hour in range(20, 75)]
    later = [Hour("4", "e", 30, drawn(99, 7)), Hour("3", "d", 30, drawn(98, 5))]
    for name, some in (("a", hours), ("b", later)):
        with store.writing() as writing:
            writing.add_hours(name, some)
    for first, end, many in ((20, 75, 10), (24, 72, 3), (25, 47, 24), (0, 24, 1), (75, 90, 0)):
        parts, each = store.days("ride", first, end), store.hours("ride", first, end)
        assert len(parts) == many, (first, end)
        if each:
            whole, expected = (add([one.profile for one in some]) for some in (parts, each))
            assert whole.rows == sum(one.profile.rows for one in each)
            assert whole.fields["PULocationID"] == expected.fields["PULocationID"]
            assert whole.score.counts == expected.score.counts
    assert [one.hour for one in store.of(Only("4", "e")).days("ride", 0, 99)] == [24]
