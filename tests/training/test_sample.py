"""The shipped sample: made by its own code, in the publishers' shape, fit to learn from."""

from collections.abc import Callable, Hashable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from training.sample import CUSTOMERS, TRIPS
from training.sample.__main__ import main
from training.sample.customers import customers
from training.sample.trips import trips

Make = Callable[..., pd.DataFrame]
Measure = Callable[[pd.DataFrame], pd.Series]

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
REAL_TRIPS = SHARED / "green" / "green_tripdata_2021-01.parquet"
REAL_CUSTOMERS = SHARED / "telco_customer_churn.csv"

TLC = {
    "VendorID": pa.int64(),
    "lpep_pickup_datetime": pa.timestamp("us"),
    "lpep_dropoff_datetime": pa.timestamp("us"),
    "store_and_fwd_flag": pa.string(),
    "RatecodeID": pa.float64(),
    "PULocationID": pa.int64(),
    "DOLocationID": pa.int64(),
    "passenger_count": pa.float64(),
    "trip_distance": pa.float64(),
    "fare_amount": pa.float64(),
    "extra": pa.float64(),
    "mta_tax": pa.float64(),
    "tip_amount": pa.float64(),
    "tolls_amount": pa.float64(),
    "ehail_fee": pa.null(),
    "improvement_surcharge": pa.float64(),
    "total_amount": pa.float64(),
    "payment_type": pa.float64(),
    "trip_type": pa.float64(),
    "congestion_surcharge": pa.float64(),
}
HEADER = (
    "customerID,gender,SeniorCitizen,Partner,Dependents,tenure,PhoneService,MultipleLines,"
    "InternetService,OnlineSecurity,OnlineBackup,DeviceProtection,TechSupport,StreamingTV,"
    "StreamingMovies,Contract,PaperlessBilling,PaymentMethod,MonthlyCharges,TotalCharges,Churn"
)
IBM = HEADER.split(",")
ONLINE = IBM[9:15]  # what comes on top of an internet line


def minutes(month: pd.DataFrame) -> pd.Series:
    """Minutes from pickup to drop-off."""
    spent = month["lpep_dropoff_datetime"] - month["lpep_pickup_datetime"]
    return spent.dt.total_seconds() / 60


def kept(month: pd.DataFrame) -> pd.DataFrame:
    """The trips a model learns from, by pickup time, with their ``duration`` in minutes."""
    month = month.assign(duration=minutes(month))
    fit = month["duration"].between(1, 60) & (month["trip_distance"] <= 100)
    return month[fit].sort_values("lpep_pickup_datetime", kind="stable")


def ride_records(month: pd.DataFrame) -> list[dict[str, str | float]]:
    """The ride model's features, one dictionary a trip."""
    pairs = month["PULocationID"].astype(str) + "_" + month["DOLocationID"].astype(str)
    columns = zip(pairs, month["trip_distance"], strict=True)
    return [{"PU_DO": pair, "trip_distance": miles} for pair, miles in columns]


def churn_records(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The churn model's features: every column but the name and the answer, total as a number."""
    total = pd.to_numeric(table["TotalCharges"], errors="coerce").fillna(0)
    features = table.drop(columns=["customerID", "Churn"]).assign(TotalCharges=total)
    return features.to_dict("records")


def read_customers(path: Path) -> pd.DataFrame:
    """A table of customers as IBM publishes it, its blanks and its "No" kept as text."""
    return pd.read_csv(path, keep_default_na=False)


@pytest.fixture(scope="module")
def month() -> pd.DataFrame:
    return pd.read_parquet(TRIPS)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return read_customers(CUSTOMERS)


@pytest.mark.parametrize("make", [trips, customers])
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(make: Make) -> None:
    """A generator's rows follow from its arguments alone."""
    pd.testing.assert_frame_equal(make(300, seed=5), make(300, seed=5))
    assert not make(300, seed=5).equals(make(300, seed=6))


@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("make", [trips, customers])
def test_any_number_of_rows_can_be_had(make: Make, rows: int) -> None:
    """A generator gives as many rows as it is asked for, down to one."""
    assert len(make(rows)) == rows


def test_the_shipped_files_are_what_the_code_makes(
    month: pd.DataFrame, table: pd.DataFrame
) -> None:
    """Whoever changes a generator ships the files made by it: ``python -m training.sample``."""
    pd.testing.assert_frame_equal(month, trips(), check_exact=True)
    pd.testing.assert_frame_equal(table, customers(), check_exact=True)


def test_the_command_writes_both_files_and_nothing_else(
    tmp_path: Path, month: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--output`` names a folder, made if need be; both files land there and are spoken of."""
    main(["--output", str(tmp_path / "new")])
    assert {path.name for path in (tmp_path / "new").iterdir()} == {TRIPS.name, CUSTOMERS.name}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "new" / TRIPS.name), month)
    assert (tmp_path / "new" / CUSTOMERS.name).read_bytes() == CUSTOMERS.read_bytes()
    said = capsys.readouterr().out
    assert f"{TRIPS.name}: 15,000 rows, {TRIPS.stat().st_size:,} bytes" in said
    assert f"{CUSTOMERS.name}: 2,500 rows, {CUSTOMERS.stat().st_size:,} bytes" in said


def test_the_files_are_small() -> None:
    """The sample is a burden to nobody who clones the project: 600 kB and 500 kB at most."""
    assert TRIPS.stat().st_size <= 600_000
    assert CUSTOMERS.stat().st_size <= 500_000


def test_trips_have_the_columns_and_types_the_tlc_publishes() -> None:
    """Names, order and types in the file are the TLC's, down to a fee that is always null."""
    schema = pq.read_schema(TRIPS)
    assert list(zip(schema.names, schema.types, strict=True)) == list(TLC.items())


def test_trips_lack_what_only_a_meter_fills_in_nearly_half_the_rows(month: pd.DataFrame) -> None:
    """Booked trips have five fields null, all at once, and come after the hailed ones."""
    metered = ["store_and_fwd_flag", "RatecodeID", "passenger_count", "payment_type", "trip_type"]
    booked = month["congestion_surcharge"].isna()
    assert booked.mean() == pytest.approx(0.47, abs=0.01)
    assert booked.is_monotonic_increasing
    assert (month[metered].isna().to_numpy() == booked.to_numpy()[:, None]).all()
    assert (
        month.drop(columns=[*metered, "congestion_surcharge", "ehail_fee"]).notna().all(axis=None)
    )


STRAYS: dict[str, tuple[Measure, float, float]] = {
    "in 2009": (lambda m: m["lpep_pickup_datetime"].dt.year == 2009, 1e-5, 5e-4),
    "of over 100 miles": (lambda m: m["trip_distance"] > 100, 4e-4, 2e-3),
    "of over 10,000 miles": (lambda m: m["trip_distance"] > 10_000, 1e-4, 1e-3),
    "of no distance": (lambda m: m["trip_distance"] == 0, 0.025, 0.045),
    "of under a minute": (lambda m: minutes(m) < 1, 0.014, 0.024),
    "of over an hour": (lambda m: minutes(m) > 60, 0.011, 0.019),
    "of about a day": (lambda m: minutes(m).between(1200, 1440), 8e-4, 2.5e-3),
    "with a negative fare": (lambda m: m["fare_amount"] < 0, 1e-3, 3e-3),
    "from no zone": (lambda m: m["PULocationID"].isin([264, 265]), 2e-3, 6e-3),
    "to no zone": (lambda m: m["DOLocationID"].isin([264, 265]), 5e-3, 1.2e-2),
    "that a model drops": (lambda m: ~minutes(m).between(1, 60), 0.029, 0.039),
}


@pytest.mark.parametrize(("is_stray", "least", "most"), STRAYS.values(), ids=STRAYS)
def test_there_are_stray_trips(
    is_stray: Measure, least: float, most: float, month: pd.DataFrame
) -> None:
    """Every kind of stray in the TLC's files is in the sample, in about the share it has there."""
    assert least <= is_stray(month).mean() <= most


def test_a_few_pairs_of_zones_see_many_trips_and_most_see_few(month: pd.DataFrame) -> None:
    """Pairs are as sparse as the real ones: thousands, half seen once, some a hundred times."""
    counts = pd.Series([record["PU_DO"] for record in ride_records(kept(month))]).value_counts()
    assert 4_000 <= len(counts) <= 6_000
    assert 0.45 <= (counts == 1).mean() <= 0.65
    assert counts.iloc[0] >= 100
    assert month["PULocationID"].between(1, 265).all()
    assert month["DOLocationID"].between(1, 265).all()


def test_customers_have_the_columns_and_values_ibm_publishes(table: pd.DataFrame) -> None:
    """Names, order, types and spelling are IBM's; no two customers have the same name."""
    assert list(table.columns) == IBM
    numbers = {"SeniorCitizen": "int64", "tenure": "int64", "MonthlyCharges": "float64"}
    assert {name: str(kind) for name, kind in table.dtypes.items() if kind != "str"} == numbers
    assert table["customerID"].is_unique
    assert table["customerID"].str.fullmatch(r"\d{4}-[A-Z]{5}").all()
    assert set(table["SeniorCitizen"]) == {0, 1}
    assert set(table["Contract"]) == {"Month-to-month", "One year", "Two year"}
    assert set(table["InternetService"]) == {"DSL", "Fiber optic", "No"}
    assert set(table["PaymentMethod"]) == {
        *("Bank transfer (automatic)", "Credit card (automatic)"),
        *("Electronic check", "Mailed check"),
    }


def test_services_agree_with_each_other(table: pd.DataFrame) -> None:
    """Without a phone or the internet, what hangs on it says so; with it, it is Yes or No."""
    assert ((table["MultipleLines"] == "No phone service") == (table["PhoneService"] == "No")).all()
    offline = table["InternetService"] == "No"
    assert offline.any()
    for name in ONLINE:
        assert ((table[name] == "No internet service") == offline).all()
        assert set(table.loc[~offline, name]) == {"Yes", "No"}


def test_charges_follow_from_services_and_tenure(table: pd.DataFrame) -> None:
    """A price list explains the monthly charge; the total is about that times the months."""
    bought = pd.DataFrame(
        {name: table[name] == "Yes" for name in ["PhoneService", "MultipleLines", *ONLINE]}
    )
    lines = pd.get_dummies(table["InternetService"])[["DSL", "Fiber optic"]]
    prices = pd.concat([bought, lines], axis=1).to_numpy(dtype=float)
    fit, *_ = np.linalg.lstsq(prices, table["MonthlyCharges"], rcond=None)
    assert np.abs(prices @ fit - table["MonthlyCharges"]).max() < 4
    assert fit == pytest.approx([20, 5, 5, 5, 5, 5, 10, 10, 25, 50], abs=0.5)
    billed = table[table["tenure"] > 0]
    ratio = pd.to_numeric(billed["TotalCharges"]) / (billed["tenure"] * billed["MonthlyCharges"])
    assert ratio.median() == pytest.approx(1, abs=0.005)
    assert ratio.between(0.6, 1.4).all()


def test_who_has_yet_to_be_billed_has_a_blank_total_and_has_not_left(table: pd.DataFrame) -> None:
    """``TotalCharges`` is text, " " where tenure is 0 and only there."""
    new = table["tenure"] == 0
    assert new.any()
    assert ((table["TotalCharges"] == " ") == new).all()
    assert (table.loc[new, "Churn"] == "No").all()


@pytest.mark.parametrize("month_of", [(15_000, 1), (12_000, 1), (12_000, 2)], ids=str)
def test_a_ride_model_learns_from_the_first_days_what_holds_on_later_ones(
    month_of: tuple[int, int],
) -> None:
    """Trained on 60% of the month, it beats the mean by far on the next 20%, new pairs too."""
    rides = kept(trips(*month_of))
    train = rides.iloc[: int(0.6 * len(rides))]
    later = rides.iloc[int(0.6 * len(rides)) : int(0.8 * len(rides))]
    vectorizer = DictVectorizer()
    model = LinearRegression().fit(vectorizer.fit_transform(ride_records(train)), train["duration"])
    predicted = model.predict(vectorizer.transform(ride_records(later)))
    per_mile = model.coef_[vectorizer.vocabulary_["trip_distance"]]
    assert 1.5 <= per_mile <= 4  # minutes

    known = {record["PU_DO"] for record in ride_records(train)}
    new = np.array([record["PU_DO"] not in known for record in ride_records(later)])
    assert 0.15 <= new.mean() <= 0.4
    for rows in (np.full(len(later), True), new):
        error = root_mean_squared_error(later["duration"][rows], predicted[rows])
        mean = root_mean_squared_error(
            later["duration"][rows], np.full(rows.sum(), train["duration"].mean())
        )
        assert error < 0.75 * mean
    assert ((predicted < 0) | (predicted > 120)).mean() < 0.005  # impossible answers are rare


def test_a_churn_model_says_that_terms_and_tenure_keep_customers(table: pd.DataFrame) -> None:
    """It ranks unseen customers as well as on IBM's table, for reasons that make sense."""
    train, test = train_test_split(table, test_size=0.2, random_state=1)
    vectorizer = DictVectorizer(sparse=False)
    model = LogisticRegression(solver="liblinear", C=1.0, random_state=1)
    model.fit(vectorizer.fit_transform(churn_records(train)), train["Churn"] == "Yes")
    chances = model.predict_proba(vectorizer.transform(churn_records(test)))[:, 1]
    assert 0.81 <= roc_auc_score(test["Churn"] == "Yes", chances) <= 0.88

    weight = dict(zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True))
    assert weight["Contract=Two year"] < weight["Contract=Month-to-month"] - 0.5
    assert weight["tenure"] < -0.02  # log-odds a month
    assert weight["InternetService=Fiber optic"] > weight["InternetService=DSL"]


def test_customers_leave_as_often_as_ibms_do(table: pd.DataFrame) -> None:
    """About one in four leaves: many from month to month, hardly any with two years to run."""
    left = table["Churn"] == "Yes"
    assert left.mean() == pytest.approx(0.265, abs=0.02)
    by_contract = left.groupby(table["Contract"]).mean()
    assert by_contract["Month-to-month"] == pytest.approx(0.427, abs=0.04)
    assert by_contract["One year"] == pytest.approx(0.113, abs=0.04)
    assert by_contract["Two year"] == pytest.approx(0.028, abs=0.02)


@pytest.mark.skipif(not REAL_TRIPS.exists(), reason="the TLC's months are not at ../shared/data")
@pytest.mark.parametrize(
    ("measure", "slack"),
    [(minutes, 0.5), (itemgetter("trip_distance"), 0.15), (itemgetter("fare_amount"), 1.0)],
    ids=["minutes", "miles", "dollars"],
)
def test_trips_are_as_long_as_the_real_ones(
    measure: Measure, slack: float, month: pd.DataFrame
) -> None:
    """Quantiles are within 15% of January 2021's, or half a minute, 0.15 mile, a dollar."""
    steps = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
    real = measure(pd.read_parquet(REAL_TRIPS)).quantile(steps)
    assert measure(month).quantile(steps).to_dict() == pytest.approx(
        real.to_dict(), rel=0.15, abs=slack
    )


@pytest.mark.skipif(not REAL_TRIPS.exists(), reason="the TLC's months are not at ../shared/data")
def test_as_many_trips_are_dropped_as_of_the_real_ones(month: pd.DataFrame) -> None:
    """The share under a minute or over an hour is January 2021's within 0.4 of a percent."""
    real = ~minutes(pd.read_parquet(REAL_TRIPS)).between(1, 60)
    assert (~minutes(month).between(1, 60)).mean() == pytest.approx(real.mean(), abs=0.004)


@pytest.mark.skipif(not REAL_CUSTOMERS.exists(), reason="IBM's table is not at ../shared/data")
def test_customers_are_like_the_real_ones(table: pd.DataFrame) -> None:
    """Every value is about as common, and its customers leave about as often, as in IBM's table."""
    real = read_customers(REAL_CUSTOMERS)
    for name in IBM[1:5] + IBM[6:18]:
        share = table[name].value_counts(normalize=True)
        assert share.to_dict() == pytest.approx(
            real[name].value_counts(normalize=True).to_dict(), abs=0.04
        )
    for name in ("tenure", "MonthlyCharges"):
        steps = [0.1, 0.25, 0.5, 0.75, 0.9]
        np.testing.assert_allclose(
            table[name].quantile(steps), real[name].quantile(steps), rtol=0.05, atol=5
        )
