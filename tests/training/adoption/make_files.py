"""Makes the files of other scikit-learn versions that the tests beside it read.

    python make_files.py OUTPUT.tar.xz     in an environment of that version; see README.md

Each file holds a model in one of the shapes in which people save them; answers.json has what each
model answered to RECORDS there. It needs scikit-learn and joblib alone.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

ROWS = 60
ASKED = 6  # records whose answers are kept
Records = list[dict[str, Any]]

_YES = ["yes", "no"]
_OPTION = [*_YES, "no_internet_service"]
CUSTOMER: dict[str, list[str]] = {
    "gender": ["female", "male"],
    "partner": _YES,
    "dependents": _YES,
    "phoneservice": _YES,
    "multiplelines": [*_YES, "no_phone_service"],
    "internetservice": ["dsl", "fiber_optic", "no"],
    "onlinesecurity": _OPTION,
    "onlinebackup": _OPTION,
    "deviceprotection": _OPTION,
    "techsupport": _OPTION,
    "streamingtv": _OPTION,
    "streamingmovies": _OPTION,
    "contract": ["month-to-month", "one_year", "two_year"],
    "paperlessbilling": _YES,
    "paymentmethod": [
        "electronic_check",
        "mailed_check",
        "bank_transfer_(automatic)",
        "credit_card_(automatic)",
    ],
}


def rides() -> tuple[Records, list[float]]:
    """Return rides as the model's features have them, and minutes."""
    draw = random.Random(1)  # nothing secret
    rows: Records = [
        {
            "PU_DO": f"{draw.randrange(10, 14)}_{draw.randrange(50, 53)}",
            "trip_distance": round(draw.uniform(0.1, 20), 2),
        }
        for _ in range(ROWS)
    ]
    return rows, [row["trip_distance"] * 2.5 + int(row["PU_DO"][1]) for row in rows]


def customers() -> tuple[Records, list[int]]:
    """Return customers, and 1 for those that left."""
    draw = random.Random(2)  # nothing secret
    rows: Records = []
    for _ in range(ROWS):
        row: dict[str, Any] = {name: draw.choice(values) for name, values in CUSTOMER.items()}
        tenure, monthly = draw.randrange(72), round(draw.uniform(20, 110), 2)
        row.update(seniorcitizen=draw.randrange(2), tenure=tenure, monthlycharges=monthly)
        rows.append({**row, "totalcharges": round(tenure * monthly, 2)})
    return rows, [int(r["contract"] == "month-to-month" and r["tenure"] < 50) for r in rows]


def flowers() -> tuple[Records, list[str]]:
    """Return flowers as the tests' model of three classes has them, and their species."""
    draw = random.Random(3)  # nothing secret
    rows: Records = [
        {
            "petal": round(draw.uniform(5, 60), 1),
            "sepal": round(draw.uniform(40, 80), 1),
            "where": f"{draw.choice(['hill', 'shore'])}_{draw.choice(['wet', 'dry'])}",
            "soil": draw.choice(["wet", "dry"]),
        }
        for _ in range(ROWS)
    ]
    kinds = ["setosa", "versicolor", "iris virginica"]
    return rows, [kinds[int(row["petal"] + draw.uniform(-9, 9)) // 20 % 3] for row in rows]


ROWS_OF = {"ride": rides, "churn": customers, "flowers": flowers}


def _multinomial() -> Any:
    """Softmax over both classes: twice the log-odds; the option went in 1.8."""
    return LogisticRegression(C=0.1, max_iter=2000, multi_class="multinomial")


MAKERS: dict[str, dict[str, Callable[[], Any]]] = {
    "ride": {
        "linear": lambda: LinearRegression(),
        "ridge": lambda: Ridge(),
        "lasso": lambda: Lasso(alpha=0.1),
        "elastic": lambda: ElasticNet(alpha=0.1),
        "ridge-cv": lambda: RidgeCV(),
        "lasso-cv": lambda: LassoCV(cv=3),
        "sgd": lambda: SGDRegressor(random_state=1, eta0=0.001),
        "scaled": lambda: make_pipeline(StandardScaler(with_mean=False), MaxAbsScaler(), Ridge()),
        "tree": lambda: DecisionTreeRegressor(max_depth=4),
        "extra-tree": lambda: ExtraTreeRegressor(max_depth=4, random_state=1),
        "best-first": lambda: DecisionTreeRegressor(max_leaf_nodes=9),
        "forest": lambda: RandomForestRegressor(3, max_depth=4, random_state=1),
        "extra-trees": lambda: ExtraTreesRegressor(3, max_depth=4, random_state=1),
        "gradient": lambda: GradientBoostingRegressor(n_estimators=4, max_depth=2),
        "gradient-huber": lambda: GradientBoostingRegressor(loss="huber", n_estimators=3),
        "gradient-zero": lambda: GradientBoostingRegressor(n_estimators=4, init="zero"),
        "hist": lambda: HistGradientBoostingRegressor(max_iter=4, min_samples_leaf=3),
    },
    "churn": {
        "logistic": lambda: LogisticRegression(solver="liblinear"),
        "multinomial": _multinomial,
        "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
        "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=1),
        "extra-tree": lambda: ExtraTreeClassifier(max_depth=4, random_state=1),
        "forest": lambda: RandomForestClassifier(
            3, max_depth=4, random_state=1, class_weight="balanced"
        ),
        "extra-trees": lambda: ExtraTreesClassifier(3, max_depth=4, random_state=1),
        "gradient": lambda: GradientBoostingClassifier(n_estimators=4, max_depth=2),
        "gradient-exponential": lambda: GradientBoostingClassifier(
            loss="exponential", n_estimators=4, max_depth=2
        ),
        "hist": lambda: HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=3),
    },
    "flowers": {
        "logistic": lambda: LogisticRegression(C=0.1, max_iter=5000),
        # each class against the rest; not to be had any more since 1.8
        "one-by-one": lambda: LogisticRegression(solver="liblinear"),
        "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
        "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=1),
        "forest": lambda: RandomForestClassifier(
            3, max_depth=4, random_state=1, class_weight="balanced"
        ),
        "extra-trees": lambda: ExtraTreesClassifier(3, max_depth=4, random_state=1),
        "gradient": lambda: GradientBoostingClassifier(n_estimators=4, max_depth=2),
        "hist": lambda: HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=3),
    },
}


class Held:
    """A class of somebody's own around the parts."""

    def __init__(self, dv: Any, model: Any) -> None:
        self.dv, self.model = dv, model


def _narrow(x: Any) -> Any:
    """Return a sparse matrix with indices of 32 bits, which some estimators ask for."""
    if hasattr(x, "indptr"):
        x.indices, x.indptr = x.indices.astype("int32"), x.indptr.astype("int32")
    return x


def fitted(model: str, name: str) -> tuple[Any, Any, Any]:
    """Return a vectorizer, an estimator, and its answers to the first records: of several classes
    all probabilities."""
    rows, target = ROWS_OF[model]()
    centred = model != "ride" and name == "scaled"
    vectorizer = DictVectorizer(sparse=not (name == "hist" or centred))
    x = _narrow(vectorizer.fit_transform(rows))
    estimator = MAKERS[model][name]().fit(x, target)
    asked = x[:ASKED]
    found = estimator.predict(asked) if model == "ride" else estimator.predict_proba(asked)
    if model == "churn":
        found = found[:, 1]
    elif model == "flowers":
        named = [dict(zip(estimator.classes_, row, strict=True)) for row in found.tolist()]
        return vectorizer, estimator, named
    return vectorizer, estimator, np.asarray(found, dtype=float).tolist()


def pickled(value: Any, protocol: int = 4) -> bytes:
    return pickle.dumps(value, protocol)


def jobbed(value: Any, compress: Any = 0) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, compress=compress)
    return file.getvalue()


def shapes(dv: Any, model: Any) -> Iterator[tuple[str, list[bytes], str | None]]:
    """Return each shape's name, its files, and the name by which the model is picked."""
    other = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    pipeline = Pipeline([("dv", dv), ("model", model)])
    yield "pair", [pickled((dv, model))], None
    yield "pair by protocol 2", [pickled((dv, model), 2)], None
    yield "pair by protocol 0", [pickled((dv, model), 0)], None
    yield "pair by protocol 5", [pickled((dv, model), 5)], None
    yield "list", [pickled([dv, model])], None
    yield "other way round", [pickled((model, dv))], None
    beside = ("best", np.arange(3.0), {"rmse": np.float64(1.5)}, dv, [1, 2], model)
    yield "things beside", [pickled(beside)], None
    yield "pipeline", [pickled(pipeline)], None
    yield "two files", [pickled(model), pickled(dv)], None
    yield "two pickles in a file", [pickled(dv) + pickled(model)], None
    yield "dictionary", [pickled({"dv": dv, "model": model, "features": ["a"]})], None
    yield "dictionary of models", [pickled({"dv": dv, "models": {"a": other, "b": model}})], "b"
    yield "dictionary of pairs", [pickled({"a": (dv, other), "b": (dv, model)})], "b"
    yield "joblib", [jobbed((dv, model))], None
    yield "joblib pipeline", [jobbed(pipeline)], None
    yield "joblib in two files", [jobbed(dv), jobbed(model)], None


def packed(dv: Any, model: Any) -> Iterator[tuple[str, list[bytes], str | None]]:
    """Return compressed files: of a few estimators, as they cannot be packed any further."""
    for kind in ("zlib", "gzip", "bz2", "xz", "lzma"):
        yield f"joblib by {kind}", [jobbed((dv, model), (kind, 3))], None


def search(model: str) -> tuple[str, list[bytes], str | None]:
    """Return a search over parameters in the place of the model."""
    rows, target = ROWS_OF[model]()
    dv = DictVectorizer()
    x = _narrow(dv.fit_transform(rows))
    found = GridSearchCV(MAKERS[model]["tree"](), {"max_depth": [4]}, cv=2).fit(x, target)
    return "search", [pickled((dv, found))], None


def entries() -> Iterator[tuple[str, bytes]]:
    """Return the names and bytes of everything in the archive."""
    answers: dict[str, dict[str, Any]] = {}
    told: list[dict[str, Any]] = []
    for model, makers in MAKERS.items():
        answers[model] = {}
        for name in makers:
            try:
                dv, estimator, answers[model][name] = fitted(model, name)
            except (TypeError, ValueError):  # an option that this version does not have any more
                continue
            found = [*shapes(dv, estimator)]
            found += packed(dv, estimator) if name in ("linear", "logistic", "forest") else []
            found += [search(model)] if name == "tree" else []
            for shape, files, pick in found:
                names = [f"{model}/{name}/{shape}/{n}" for n in range(len(files))]
                told.append({"model": model, "estimator": name, "shape": shape, "files": names,
                             "pick": pick})  # fmt: skip
                yield from zip(names, files, strict=True)
    versions = {"scikit-learn": sklearn.__version__, "joblib": joblib.__version__,
                "numpy": np.__version__}  # fmt: skip
    text = json.dumps({"versions": versions, "answers": answers, "files": told}, indent=1)
    yield "answers.json", text.encode()


def main(path: str) -> None:
    """Write the archive."""
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name, data in entries():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main(sys.argv[1])
