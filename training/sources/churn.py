"""IBM's Telco customers, as published first and as published anew: one CSV each."""

from __future__ import annotations

import pandas as pd

from scoring.record import normalise
from training import sample
from training.data.columns import require
from training.errors import TrainingError
from training.sources import Source

# The newer table has "Tenure Months" and "Churn Label" next to columns that nothing here reads.
_NEWER = {"tenuremonths": "tenure", "churnlabel": "churn", "churnvalue": "churn"}
_CHURN = {"yes": 1, "no": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0}


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the customer's fields in lower case, and churn as 0 or 1.

    The published file leaves TotalCharges blank for customers in their first month: nothing was
    charged yet, so it is 0. Any other text there stays, for the field's own reader to refuse.
    """
    frame = raw.rename(columns=_name)
    for newer, name in _NEWER.items():
        if name not in frame and newer in frame:
            frame = frame.rename(columns={newer: name})
    require(frame, ["totalcharges", "tenure", "churn"])
    charges = pd.to_numeric(frame["totalcharges"], errors="coerce")
    written = frame["totalcharges"].astype("str").str.strip()
    blank = written.isna() | (written == "")
    new = pd.to_numeric(frame["tenure"], errors="coerce") == 0
    charges = charges.mask(blank & new, 0.0)
    if (other := charges.isna() & ~blank).any():
        charges = charges.astype("object").mask(other, written)
    words = frame["churn"].map(lambda value: normalise(str(value)))
    unknown = words[~words.isin(_CHURN.keys())]
    if len(unknown):
        some = ", ".join(sorted({str(word) for word in unknown})[:5])
        raise TrainingError(
            f"column churn holds {some} in {len(unknown)} of {len(words)} rows; "
            "Yes or No, or 1 or 0, is expected"
        )
    tidied = frame.assign(totalcharges=charges, churn=words.map(_CHURN).astype("int64"))
    if "seniorcitizen" in tidied and not pd.api.types.is_numeric_dtype(tidied["seniorcitizen"]):
        senior = tidied["seniorcitizen"].map(normalise)  # Yes and No in the newer table
        tidied["seniorcitizen"] = senior.map({"yes": 1, "no": 0}).fillna(senior)
    return tidied


def _name(column: str) -> str:
    """Return a column's name in lower case and without the spaces of the newer table."""
    return str(column).lower().replace(" ", "")


SOURCE = Source(tidy=tidy, sample=sample.CUSTOMERS, sparse=False)
