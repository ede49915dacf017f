"""Customers as IBM publishes them, first and anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.support import CHURN, customers, saved
from training.data.tables import read
from training.errors import TrainingError
from training.sources import source_of

# The published columns that IBM's newer table names otherwise.
NEWER = {
    "gender": "Gender", "SeniorCitizen": "Senior Citizen", "tenure": "Tenure Months",
    "PhoneService": "Phone Service", "MultipleLines": "Multiple Lines",
    "InternetService": "Internet Service", "OnlineSecurity": "Online Security",
    "OnlineBackup": "Online Backup", "DeviceProtection": "Device Protection",
    "TechSupport": "Tech Support", "StreamingTV": "Streaming TV",
    "StreamingMovies": "Streaming Movies", "PaperlessBilling": "Paperless Billing",
    "PaymentMethod": "Payment Method", "MonthlyCharges": "Monthly Charges",
    "TotalCharges": "Total Charges", "Churn": "Churn Label", "customerID": "CustomerID",
}  # fmt: skip


def read_customers(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = saved(frame, folder / "customers.csv")
    return read(CHURN, source_of(CHURN), [path]).frame


def test_customers_become_fields_in_lower_case_and_churn_as_a_number(tmp_path: Path) -> None:
    """The published column names and words; the customer's id is left out."""
    frame = customers(4).assign(Churn=["Yes", "No", "YES", " no "])
    found = read_customers(frame, tmp_path)
    assert list(found) == [*CHURN.record.model_fields, "churn"]
    assert found["churn"].tolist() == [1, 0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("charges", "tenure", "expected"),
    [
        (" ", 0, 0.0),
        ("", 0, 0.0),
        (" ", 1, np.nan),
        ("", 1, np.nan),
        ("unknown", 0, np.nan),
        ("nan", 0, np.nan),
        ("29.85", 0, 29.85),
        (" 29.85 ", 1, 29.85),
    ],
    ids=lambda value: repr(value),
)
@pytest.mark.parametrize("others", ["1.5", "x"], ids=["among numbers", "among texts"])
def test_blank_charges_in_the_first_month_are_none(
    charges: str, tenure: int, expected: float, others: str, tmp_path: Path
) -> None:
    """Blank at tenure 0 is 0 dollars; any other text stays one, for the checks to refuse."""
    frame = customers(3).assign(TotalCharges=[others, charges, others], tenure=[5, tenure, 5])
    found = read_customers(frame, tmp_path)["totalcharges"]
    np.testing.assert_equal(pd.to_numeric(found, errors="coerce")[1], expected)
    assert found[0] == (1.5 if others == "1.5" else others)


@pytest.mark.parametrize("yes", [1, 1.0, True, "1", "Yes"], ids=repr)
def test_churn_may_be_a_number(yes: Any, tmp_path: Path) -> None:
    """The model learns 0 and 1: a table that has them already is taken."""
    no = {"Yes": "No", "1": "0"}.get(yes, type(yes)(0))
    found = read_customers(customers(4).assign(Churn=[yes, no, no, yes]), tmp_path)
    assert found["churn"].tolist() == [1, 0, 0, 1]


@pytest.mark.slow
def test_the_newer_telco_table_is_the_same_customers(tmp_path: Path) -> None:
    """Names with spaces, Yes and No for seniors, and churn in two columns beside the reason."""
    old = customers(60)
    more: dict[str, Any] = {
        "Senior Citizen": old["SeniorCitizen"].map({1: "Yes", 0: "No"}),
        "Churn Value": old["Churn"].map({"Yes": 1, "No": 0}),
        "Churn Score": 50,
        "Churn Reason": "unknown",
        "Zip Code": 90210,
    }
    newer = old.rename(columns=NEWER).assign(**more)
    pd.testing.assert_frame_equal(
        read_customers(newer, tmp_path), read_customers(old, tmp_path), check_dtype=False
    )
    by_value = newer.drop(columns="Churn Label")
    assert read_customers(by_value, tmp_path)["churn"].tolist() == [*newer["Churn Value"]]


def test_the_column_that_was_probably_meant_is_named(tmp_path: Path) -> None:
    """As the endpoint names a key that was probably meant."""
    frame = customers(9).rename(columns={"PaperlessBilling": "paperless_billings"})
    meant = r"paperlessbilling \(there is 'paperless_billings': was 'paperlessbilling' meant\?\)"
    with pytest.raises(TrainingError, match=meant):
        read_customers(frame, tmp_path)


def test_only_an_empty_cell_is_missing(tmp_path: Path) -> None:
    """`NA` and `N/A` are words in these files, not missing values."""
    frame = customers(4).assign(gender=["NA", "N/A", "", "null"])
    found = read_customers(frame, tmp_path)["gender"]
    assert found.isna().tolist() == [False, False, True, False]
    assert found[[0, 1, 3]].tolist() == ["NA", "N/A", "null"]


def test_a_word_for_churn_that_is_none_stops_with_its_count(tmp_path: Path) -> None:
    """What customers did must be known: the words, their count, and what was expected."""
    frame = customers(5).assign(Churn=["Yes", "maybe", "maybe", "", "No"])
    with pytest.raises(TrainingError) as caught:
        read_customers(frame, tmp_path)
    assert str(caught.value) == (
        "customers.csv: column churn holds maybe, nan in 3 of 5 rows; Yes or No, or 1 or 0, is "
        "expected"
    )


def lacking(*names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.drop(columns=list(names))


def holding(name: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lacking("tenure", "Churn"), "customers.csv: 2 of 3 columns are missing: tenure, churn; "),
        (lacking("Contract"), "customers.csv: 1 of 20 columns are missing: contract; there are: "),
        (
            holding("GENDER", "Male"),
            "customers.csv: 1 columns are there more than once: gender",
        ),
    ],
    ids=["columns missing", "a field missing", "a column twice"],
)
def test_customers_of_another_shape_are_refused_by_name(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    """Also a column that is there in two spellings: which of them is meant?"""
    with pytest.raises(TrainingError) as caught:
        read_customers(change(customers(9)), tmp_path)
    assert str(caught.value).startswith(message)
