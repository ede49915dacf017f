"""The Telco customer table as published: one CSV, `TotalCharges` as text."""

from __future__ import annotations

import pandas as pd

from scoring.record import normalise
from training import sample
from training.datasets import Source, require
from training.errors import TrainingError


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Gives the customer's fields in lower case and churn as 0 or 1.

    The published file leaves TotalCharges blank for customers in their first month: nothing was
    charged yet, so it is 0. Any other text there is marked as missing.
    """
    frame = raw.rename(columns=str.lower)
    require(frame, ["totalcharges", "tenure", "churn"])
    charges = pd.to_numeric(frame["totalcharges"], errors="coerce")
    written = frame["totalcharges"].astype("str").str.strip()
    blank = written.isna() | (written == "")
    charges = charges.mask(blank & (frame["tenure"] == 0), 0.0)
    words = frame["churn"].map(normalise)
    unknown = words[~words.isin(["yes", "no"])]
    if len(unknown):
        some = ", ".join(sorted({str(word) for word in unknown})[:5])
        raise TrainingError(
            f"column churn holds {some} in {len(unknown)} of {len(words)} rows; "
            "Yes or No is expected"
        )
    return frame.assign(totalcharges=charges, churn=(words == "yes").astype("int64"))


SOURCE = Source(tidy=tidy, sample=sample.CUSTOMERS, sparse=False)
