"""XGBoost's models in a pair: the booster is read by XGBoost itself, the vectorizer as data.

A booster's bytes are XGBoost's own format, the same in each of its versions since 1.6; so a pair of
another scikit-learn can be made again, loaded and proved like one of ours.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import subprocess
import sys
from functools import cache
from typing import Any, Final

from sklearn.feature_extraction import DictVectorizer

from scoring.artifact.pickles import loads
from scoring.compiler.as_data import vectorizer_of
from scoring.errors import ArtifactError
from scoring.saved.repickle import repickle
from scoring.saved.shapes import Candidate
from scoring.saved.stand_ins import Name, StandIn, walk

_TASKS: Final = {
    "reg:squarederror": "XGBRegressor",
    "binary:logistic": "XGBClassifier",
    "multi:softprob": "XGBClassifier",
}

# XGBoost's reader ends its process where bytes are damaged: one of its own reads them first,
# without the libraries that it would look for
_SECONDS: Final = 120
_TRY: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 34, 1 << 34))
sys.modules.update(dict.fromkeys(("sklearn", "pandas", "pyarrow")))
import xgboost
data = bytearray(sys.stdin.buffer.read())
if sys.argv[1] == "native":
    xgboost.Booster(model_file=data)
else:
    xgboost.Booster().__setstate__({"handle": data})
"""


def is_xgboost(estimator: StandIn) -> bool:
    """Say whether it stands for one of XGBoost's models."""
    return estimator.kind is not None and estimator.kind.module.partition(".")[0] == "xgboost"


def check_package(estimator: StandIn) -> None:
    """Raise ArtifactError where the package that alone can read an estimator is not there, or
    cannot read it."""
    package = estimator.kind.module.partition(".")[0] if estimator.kind else ""
    if package != "xgboost":
        return
    if importlib.util.find_spec(package) is None:
        raise ArtifactError(
            f"the model is {package}'s: install {package} here, as it alone can read it, or train "
            "another estimator"
        )
    for found in walk(estimator):
        if isinstance(found, StandIn) and found.kind == Name("xgboost.core", "Booster"):
            held = found.attributes
            _check_bytes(_bytes_of(held.get("handle")), native=bool(held.get("native")))


def _bytes_of(handle: Any) -> bytes:
    """Return the bytes of a bytearray as a pickle has it: a text by the older protocols."""
    found = handle.args[0] if isinstance(handle, StandIn) and handle.args else handle
    if isinstance(found, str):
        return found.encode("latin-1", "replace")
    return bytes(found) if isinstance(found, bytes | bytearray) else b""


@cache
def _check_bytes(data: bytes, *, native: bool) -> None:
    """Raise ArtifactError where XGBoost cannot read the bytes of a booster."""
    import xgboost

    line = [sys.executable, "-P", "-c", _TRY, "native" if native else "pickled"]
    try:
        done = subprocess.run(  # noqa: S603  # our own text
            line, input=data, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(_unreadable(xgboost.__version__)) from error
    if done.returncode:
        raise ArtifactError(_unreadable(xgboost.__version__))


def classes_of(estimator: StandIn) -> list[int]:
    """Return the classes that one of XGBoost's models tells apart: their places."""
    booster = _booster(estimator)
    objective = _objective(booster)
    if objective == "binary:logistic":
        return [0, 1]
    if objective != "multi:softprob":
        return []
    learner = json.loads(booster.save_config())["learner"]
    return [*range(int(learner["learner_model_param"]["num_class"]))]


def _objective(booster: Any) -> str:
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def with_booster(chosen: Candidate) -> bytes:
    """Return a pickle of (DictVectorizer, XGBRegressor or XGBClassifier), of this version, for a
    pair whose estimator is XGBoost's. Raises ArtifactError where XGBoost cannot read it."""
    import xgboost

    booster = _booster(chosen.estimator)
    objective = _objective(booster)
    if objective not in _TASKS:
        raise ArtifactError(
            f"XGBoost's booster is for {objective}; {' and '.join(_TASKS)} can be taken in"
        )
    held = vectorizer_of(chosen)
    names = booster.feature_names
    if names is not None and len(names) != len(held.feature_names_):
        raise ArtifactError(
            f"the DictVectorizer makes {len(held.feature_names_)} columns, the booster takes "
            f"{len(names)}"
        )
    booster.feature_names = booster.feature_types = None  # they would be compared with no names
    estimator = getattr(xgboost, _TASKS[objective])()
    estimator.load_model(bytearray(booster.save_raw("ubj")))
    vectorizer = DictVectorizer(separator=held.separator, sparse=bool(held.sparse))
    vectorizer.feature_names_, vectorizer.vocabulary_ = held.feature_names_, held.vocabulary_
    return pickle.dumps((vectorizer, estimator), protocol=5)


def _booster(saved: StandIn) -> Any:
    import xgboost

    held = saved.attributes
    try:
        if held.get("native"):
            return xgboost.Booster(model_file=bytearray(held["handle"]))
        found, _ = loads(repickle(saved), other_version=True)
        return found if isinstance(found, xgboost.Booster) else found.get_booster()
    except ArtifactError as error:
        if "cannot be read" not in str(error):
            raise
        raise ArtifactError(_unreadable(xgboost.__version__)) from error
    except Exception as error:
        raise ArtifactError(_unreadable(xgboost.__version__)) from error


def _unreadable(version: str) -> str:
    return (
        f"XGBoost {version} cannot read this booster: where it was made, write it with "
        "booster.save_model('model.json') and give that file beside the DictVectorizer's"
    )
