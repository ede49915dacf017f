"""The tutorial's way with a month: everything at once, a dictionary a row.

python tutorial_batch.py SOURCE TARGET PAIR MODEL prints the seconds after the imports.
"""

import pickle
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import sklearn.ensemble
import sklearn.linear_model  # noqa: F401  # so that the pickle's classes are there

source, target, pair, name = sys.argv[1:]
began = time.perf_counter()
frame: Any = pd.read_csv(source) if source.endswith("csv") else pd.read_parquet(source)
vectorizer, estimator = pickle.loads(Path(pair).read_bytes())
table = frame
if name == "ride":
    table = pd.DataFrame(
        {
            "PU_DO": frame.PULocationID.astype(str) + "_" + frame.DOLocationID.astype(str),
            "trip_distance": frame.trip_distance,
        }
    )
x = vectorizer.transform(table.to_dict("records"))
if name == "ride":
    frame["duration"] = estimator.predict(x)
else:
    frame["churn_probability"] = estimator.predict_proba(x)[:, 1]
if target.endswith("csv"):
    frame.to_csv(target, index=False)
else:
    frame.to_parquet(target)
print(time.perf_counter() - began)
