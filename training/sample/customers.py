"""Customers of a telephone company, like those of IBM's Telco sample, and which of them left.

Each column is drawn from those before it: how long a customer has been there, the household, the
contract, the services, what they cost, and last whether the customer left. The shares, the prices
and the weights of leaving were measured on IBM's table and rounded; no customer of theirs is in it.
"""

import numpy as np
import pandas as pd
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from training.sample import draws

COLUMNS = (
    "customerID",
    "gender",
    "SeniorCitizen",
    "Partner",
    "Dependents",
    "tenure",
    "PhoneService",
    "MultipleLines",
    "InternetService",
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
    "Contract",
    "PaperlessBilling",
    "PaymentMethod",
    "MonthlyCharges",
    "TotalCharges",
    "Churn",
)
"""IBM's columns, in IBM's spelling and order."""

_NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges")

_CONTRACTS = ("Month-to-month", "One year", "Two year")
_INTERNET = ("DSL", "Fiber optic", "No")
_PAYMENTS = (
    *("Bank transfer (automatic)", "Credit card (automatic)"),
    *("Electronic check", "Mailed check"),
)

# By months of tenure: the share with a month-to-month contract and, of the others, the share with
# two years. Who has yet to be billed came for a term.
_MONTHLY_BY_TENURE = (
    (0, 1, 3, 9, 21, 30, 42, 54, 66, 72),
    (0.0, 0.97, 0.96, 0.82, 0.67, 0.58, 0.41, 0.28, 0.1, 0.01),
)
_TWO_OF_YEARLY_BY_TENURE = ((0, 1, 30, 42, 54, 66, 72), (0.9, 0.3, 0.28, 0.4, 0.46, 0.68, 0.95))

# How common each internet service is by contract, and by how much more so among the old.
_INTERNET_BY_CONTRACT = ((0.32, 0.53, 0.15), (0.39, 0.35, 0.26), (0.37, 0.24, 0.39))
_INTERNET_OF_SENIORS = (0.7, 1.7, 0.2)
# How common each way to pay is by contract, and by how much more so with each internet service.
_PAYMENT_BY_CONTRACT = (
    *((0.16, 0.15, 0.46, 0.23), (0.26, 0.26, 0.24, 0.24)),
    *((0.33, 0.33, 0.11, 0.23),),
)
_PAYMENT_BY_INTERNET = ((1.1, 1.1, 0.8, 1.1), (0.95, 0.9, 1.5, 0.4), (1.0, 1.0, 0.25, 2.1))

# What comes on top of an internet line: dollars a month, the log-odds that a customer of 18 months
# has it with DSL from month to month, and what fiber adds to these.
_EXTRAS = {
    "OnlineSecurity": (5.0, -0.75, -0.8),
    "OnlineBackup": (5.0, -0.7, 0.15),
    "DeviceProtection": (5.0, -0.95, 0.3),
    "TechSupport": (5.0, -0.75, -0.8),
    "StreamingTV": (10.0, -1.0, 0.9),
    "StreamingMovies": (10.0, -1.0, 0.9),
}
_PHONE, _SECOND_LINE = 20.0, 5.0  # dollars a month
_LINE = {"DSL": 25.0, "Fiber optic": 50.0, "No": 0.0}  # dollars a month


def customers(rows: int = 2_500, seed: int = 1) -> pd.DataFrame:
    """``rows`` customers in IBM's columns and types, the same for the same seed.

    ``tenure`` is in months, ``MonthlyCharges`` in dollars. ``TotalCharges`` is dollars written as
    text, a blank for customers who have yet to pay their first bill, as IBM publishes it.
    """
    rng = Generator(PCG64(seed))
    table = pd.DataFrame({"customerID": _ids(rng, rows), "tenure": _tenures(rng, rows)})
    _add_household(rng, table)
    _add_contract(rng, table)
    _add_services(rng, table)
    _add_charges(rng, table)
    table["Churn"] = np.where(rng.random(rows) < _chance_to_leave(table), "Yes", "No")
    return table[list(COLUMNS)].astype({name: "str" for name in COLUMNS if name not in _NUMBERS})


def _ids(rng: Generator, rows: int) -> list[str]:
    """Four digits, a dash, five capital letters; no two alike."""
    numbers = rng.choice(10**4 * 26**5, rows, replace=False)
    letters = (numbers[:, None] // 10**4 // 26 ** np.arange(5) % 26 + ord("A")).astype(np.uint8)
    tails = [bytes(row).decode("ascii") for row in letters]
    return [f"{number % 10**4:04d}-{tail}" for number, tail in zip(numbers, tails, strict=True)]


def _tenures(rng: Generator, rows: int) -> NDArray[np.int64]:
    """Months: many are new, many there since the start, 72 months ago, a few yet to be billed."""
    months = np.arange(1, 73)
    weights = 66 + 190 * np.exp(-(months - 1) / 7) + 100 * np.exp((months - 71) / 3)
    weights[0] += 360
    weights[-1] += 160
    tenure = rng.choice(months, rows, p=weights / weights.sum())
    tenure[rng.choice(rows, min(rows, max(1, round(0.0016 * rows))), replace=False)] = 0
    return tenure


def _add_household(rng: Generator, table: pd.DataFrame) -> None:
    """Who lives there; those who live with somebody stay longer."""
    rows = len(table)
    senior = rng.random(rows) < 0.162
    partner = rng.random(rows) < 0.22 + 0.0081 * table["tenure"]
    dependents = rng.random(rows) < np.where(partner, 0.58, 0.12) * np.where(senior, 0.2, 1.0)
    table["gender"] = np.where(rng.random(rows) < 0.505, "Male", "Female")
    table["SeniorCitizen"] = senior.astype(np.int64)
    table["Partner"] = draws.yes_no(partner)
    table["Dependents"] = draws.yes_no(dependents)


def _add_contract(rng: Generator, table: pd.DataFrame) -> None:
    """The contract: the longer the stay, the longer the term."""
    tenure = table["tenure"].to_numpy()
    monthly = np.asarray(np.interp(tenure, *_MONTHLY_BY_TENURE))
    two_years = (1 - monthly) * np.interp(tenure, *_TWO_OF_YEARLY_BY_TENURE)
    shares = np.column_stack([monthly, 1 - monthly - two_years, two_years])
    table["Contract"] = draws.options(rng, _CONTRACTS, shares)


def _add_services(rng: Generator, table: pd.DataFrame) -> None:
    """Phone, internet and what comes on top, and how they are billed."""
    rows = len(table)
    contract = table["Contract"].map(_CONTRACTS.index).to_numpy()
    by_age = np.where(table[["SeniorCitizen"]] == 1, _INTERNET_OF_SENIORS, 1.0)
    internet = draws.options(rng, _INTERNET, np.array(_INTERNET_BY_CONTRACT)[contract] * by_age)
    online, fiber = internet != "No", internet == "Fiber optic"
    phone = (internet != "DSL") | (rng.random(rows) < 0.72)
    lines = draws.holds(rng, -1.6 + 0.03 * table["tenure"] + 1.1 * fiber)
    table["InternetService"] = internet
    table["PhoneService"] = draws.yes_no(phone)
    table["MultipleLines"] = np.where(phone, draws.yes_no(lines), "No phone service")
    loyal = 0.019 * (table["tenure"] - 18) + np.array((0.0, 0.6, 1.0))[contract]
    for name, (_, odds, with_fiber) in _EXTRAS.items():
        extra = draws.yes_no(draws.holds(rng, odds + with_fiber * fiber + loyal))
        table[name] = np.where(online, extra, "No internet service")
    table["PaperlessBilling"] = draws.yes_no(draws.holds(rng, -0.88 + 1.08 * online + 1.03 * fiber))
    by_line = np.array(_PAYMENT_BY_INTERNET)[[_INTERNET.index(service) for service in internet]]
    table["PaymentMethod"] = draws.options(
        rng, _PAYMENTS, np.array(_PAYMENT_BY_CONTRACT)[contract] * by_line
    )


def _add_charges(rng: Generator, table: pd.DataFrame) -> None:
    """Dollars a month, which follow from the services, and dollars so far, from those."""
    rows = len(table)
    price = table["InternetService"].map(_LINE).astype(float)
    price += _PHONE * (table["PhoneService"] == "Yes")
    price += _SECOND_LINE * (table["MultipleLines"] == "Yes")
    for name, (dollars, *_) in _EXTRAS.items():
        price += dollars * (table[name] == "Yes")
    monthly = _to_nickels(price + rng.normal(0.0, 1.0, rows).clip(-1.7, 3.0))
    months = table["tenure"]
    changes = 0.19 * np.sqrt(months) * rng.normal(0.0, 1.0, rows).clip(-2.5, 2.5)  # of the price
    total = _to_nickels(monthly * (months + np.where(months > 1, changes, 0.0)))
    table["MonthlyCharges"] = monthly
    table["TotalCharges"] = [_as_text(dollars) for dollars in total]


def _chance_to_leave(table: pd.DataFrame) -> NDArray[np.float64]:
    """The probability that each customer left: a logistic model of the other columns."""
    odds = -0.25 - 0.66 * np.log1p(table["tenure"]) + 0.014 * table["MonthlyCharges"]
    odds += table["Contract"].map({"Month-to-month": 0.0, "One year": -0.8, "Two year": -2.0})
    odds += table["InternetService"].map({"DSL": 0.0, "Fiber optic": 0.48, "No": -0.7})
    odds += 0.4 * (table["PaymentMethod"] == "Electronic check")
    odds += 0.4 * (table["PaperlessBilling"] == "Yes")
    odds += 0.3 * (table["SeniorCitizen"] == 1)
    odds -= 0.45 * (table["OnlineSecurity"] == "Yes")
    odds -= 0.4 * (table["TechSupport"] == "Yes")
    return np.where(table["tenure"] == 0, 0.0, draws.chances(odds))  # nobody leaves unbilled


def _to_nickels(dollars: pd.Series) -> pd.Series:
    """Dollars, rounded to the five cents that prices end in."""
    return ((dollars * 20).round() / 20).round(2)


def _as_text(dollars: float) -> str:
    """Dollars as IBM writes them: a blank for none, no zeros at the end."""
    return f"{dollars:.2f}".rstrip("0").rstrip(".") if dollars else " "
