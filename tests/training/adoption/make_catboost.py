"""Makes the file of CatBoost's models that the tests beside it read.

python make_catboost.py files/catboost.tar.xz     with scikit-learn and catboost; see README.md
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import catboost  # type: ignore[import-not-found]  # in an environment of its own
import numpy as np
from make_files import ASKED, ROWS_OF  # type: ignore[import-not-found]  # beside it
from sklearn.feature_extraction import DictVectorizer

OPTIONS: dict[str, Any] = {
    "iterations": 5,
    "depth": 3,
    "verbose": 0,
    "allow_writing_files": False,
    "random_seed": 1,
}


def main(path: str) -> None:
    """Write the archive: for each model the vectorizer, the JSON, and a pickle of both."""
    answers: dict[str, Any] = {}
    with tarfile.open(path, "w:xz", preset=9) as archive:

        def add(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

        for model, make in ROWS_OF.items():
            rows, target = make()
            dv = DictVectorizer(sparse=False)
            x = dv.fit_transform(rows)
            kind = catboost.CatBoostRegressor if model == "ride" else catboost.CatBoostClassifier
            fitted = kind(**OPTIONS).fit(x, np.array(target))
            if model == "ride":
                answers[model] = fitted.predict(x[:ASKED]).tolist()
            elif model == "churn":
                answers[model] = fitted.predict_proba(x[:ASKED])[:, 1].tolist()
            else:
                found = fitted.predict_proba(x[:ASKED]).tolist()
                names = fitted.classes_.tolist()
                answers[model] = [dict(zip(names, row, strict=True)) for row in found]
            with tempfile.TemporaryDirectory() as folder:
                fitted.save_model(f"{folder}/m.json", format="json")
                add(f"{model}/json", Path(folder, "m.json").read_bytes())
            add(f"{model}/vectorizer", pickle.dumps(dv))
            add(f"{model}/pair", pickle.dumps((dv, fitted)))
        add("answers.json", json.dumps(answers).encode())


if __name__ == "__main__":
    main(sys.argv[1])
