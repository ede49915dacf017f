"""Makes the file of LightGBM's models that the tests beside it read.

python make_lightgbm.py files/lightgbm.tar.xz     with scikit-learn and lightgbm; see README.md
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import tarfile
from typing import Any

import lightgbm  # type: ignore[import-not-found]  # in an environment of its own
import numpy as np
from make_files import ASKED, ROWS_OF  # type: ignore[import-not-found]  # beside it
from sklearn.feature_extraction import DictVectorizer

OPTIONS: dict[str, Any] = {
    "n_estimators": 5,
    "num_leaves": 6,
    "min_child_samples": 4,
    "verbose": -1,
}


def main(path: str) -> None:
    """Write the archive: for each model a pair with an estimator, and one with its booster."""
    answers: dict[str, list[Any]] = {}
    with tarfile.open(path, "w:xz", preset=9) as archive:

        def add(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

        for model, rows_of in ROWS_OF.items():
            rows, target = rows_of()
            dv = DictVectorizer(sparse=model == "ride")
            x = dv.fit_transform(rows)
            if model == "ride":
                x.indices, x.indptr = x.indices.astype("int32"), x.indptr.astype("int32")
                estimator = lightgbm.LGBMRegressor(**OPTIONS).fit(x, target)
                found = estimator.predict(x[:ASKED])
            else:
                estimator = lightgbm.LGBMClassifier(**OPTIONS).fit(x, np.array(target))
                shares = estimator.predict_proba(x[:ASKED])
                found = shares[:, 1]
            answers[model] = np.asarray(found, dtype=float).tolist()
            if model == "flowers":
                classes = estimator.classes_.tolist()
                answers[model] = [dict(zip(classes, row, strict=True)) for row in shares.tolist()]
            add(f"{model}/estimator", pickle.dumps((dv, estimator)))
            add(f"{model}/booster", pickle.dumps((dv, estimator.booster_)))
        add("answers.json", json.dumps(answers).encode())


if __name__ == "__main__":
    main(sys.argv[1])
