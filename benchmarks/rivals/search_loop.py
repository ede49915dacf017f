"""The loop of the course: hyperopt, and each trial makes dictionaries and a DictVectorizer anew.

    python search_loop.py TRIALS TRAINING.parquet VALIDATION.parquet

It prints one line of JSON: trials, seconds, the best RMSE on the validation rows.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from hyperopt import STATUS_OK, Trials, fmin, hp, tpe
from hyperopt.pyll import scope
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import root_mean_squared_error
from xgboost import XGBRegressor

# what training/fit/estimators.py has for xgboost
SPACE = {
    "n_estimators": scope.int(hp.qloguniform("n_estimators", np.log(30), np.log(400), 1)),
    "learning_rate": hp.loguniform("learning_rate", np.log(0.02), np.log(0.5)),
    "max_depth": scope.int(hp.quniform("max_depth", 3, 10, 1)),
    "min_child_weight": hp.loguniform("min_child_weight", np.log(0.3), np.log(30)),
    "reg_lambda": hp.loguniform("reg_lambda", np.log(1e-2), np.log(30)),
    "subsample": hp.uniform("subsample", 0.5, 1.0),
}


def read(path: str) -> pd.DataFrame:
    """Return the rides as the course prepares them."""
    frame = pd.read_parquet(path)
    taken = frame.lpep_dropoff_datetime - frame.lpep_pickup_datetime
    frame["duration"] = taken.dt.total_seconds() / 60
    frame = frame[(frame.duration >= 1) & (frame.duration <= 60)].copy()
    frame["PU_DO"] = frame.PULocationID.astype(str) + "_" + frame.DOLocationID.astype(str)
    return frame


def main(trials: int, training: str, validation: str) -> None:
    """Search, and print what came of it."""
    begun = time.perf_counter()
    learned, judged = read(training), read(validation)
    fields = ["PU_DO", "trip_distance"]

    def objective(params: dict[str, Any]) -> dict[str, Any]:
        vectorizer = DictVectorizer()
        x = vectorizer.fit_transform(learned[fields].to_dict(orient="records"))
        seen = vectorizer.transform(judged[fields].to_dict(orient="records"))
        model = XGBRegressor(**params, random_state=1).fit(x, learned.duration)
        loss = root_mean_squared_error(judged.duration, model.predict(seen))
        return {"loss": loss, "status": STATUS_OK}

    kept = Trials()
    fmin(objective, SPACE, algo=tpe.suggest, max_evals=trials, trials=kept, show_progressbar=False,
         rstate=np.random.default_rng(1))  # fmt: skip
    seconds = time.perf_counter() - begun
    print(json.dumps({"trials": trials, "seconds": seconds, "best": min(kept.losses())}))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
