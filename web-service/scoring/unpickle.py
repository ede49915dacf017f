"""Reads a pickle of ours and refuses everything else before it runs.

A pickle is a program: it names callables and calls them. Only the callables below can be named, by
their exact module and name; `os.system` cannot, nor what an allowed module happens to have imported
(`sklearn.pipeline` + `os.system`), nor a dotted path through an allowed class.

To allow another estimator, train it, try to load it, and add the classes that the refusal names,
after reading what their constructors, `__reduce__` and `__setstate__` do with hostile arguments.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Final

import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from scoring.errors import ArtifactError

_ALLOWED: Final[dict[str, frozenset[str]]] = {
    module: frozenset(names.split())
    for module, names in {
        "builtins": "bytearray bytes slice",
        "_codecs": "encode",  # how protocol 2 writes bytes
        "numpy": "dtype ndarray float32 float64 int32 int64 bool_",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64",
        "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
        "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
        "sklearn._loss._loss": "CyHalfBinomialLoss CyHalfSquaredError",
        "sklearn._loss.link": "IdentityLink Interval LogitLink",
        "sklearn._loss.loss": "HalfBinomialLoss HalfSquaredError",
        "sklearn.compose._column_transformer": "ColumnTransformer",
        "sklearn.ensemble._forest": "RandomForestClassifier RandomForestRegressor",
        "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": (
            "HistGradientBoostingClassifier HistGradientBoostingRegressor"
        ),
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.feature_extraction._dict_vectorizer": "DictVectorizer",
        "sklearn.feature_selection._variance_threshold": "VarianceThreshold",
        "sklearn.linear_model._base": "LinearRegression",
        "sklearn.linear_model._coordinate_descent": "ElasticNet Lasso",
        "sklearn.linear_model._logistic": "LogisticRegression",
        "sklearn.linear_model._ridge": "Ridge",
        "sklearn.pipeline": "Pipeline",
        "sklearn.preprocessing._data": "MaxAbsScaler StandardScaler",
        "sklearn.preprocessing._function_transformer": "FunctionTransformer",
        "sklearn.preprocessing._label": "LabelEncoder",
        "sklearn.tree._classes": "DecisionTreeClassifier DecisionTreeRegressor",
        "sklearn.tree._tree": "Tree",
        "xgboost.core": "Booster",
        "xgboost.sklearn": "XGBClassifier XGBRegressor",
    }.items()
}


class _Unpickler(pickle._Unpickler):
    """The one that is written in Python: that of C cannot be told what it may give state to."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._named: list[object] = []

    def load_build(self) -> None:
        # A class or function that the pickle merely named belongs to a library: with other state
        # it would answer otherwise for everyone.
        target = self.stack[-2]  # type: ignore[attr-defined]  # typeshed leaves the stack out
        if any(target is named for named in self._named):
            raise ArtifactError("the pickle changes a class or function of a library")
        super().load_build()  # type: ignore[misc]  # and the instructions

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }

    def find_class(self, module: str, name: str) -> Any:
        # the names that Python 2's protocols and numpy before 2.0 gave to the same modules
        module = {"__builtin__": "builtins"}.get(module, module)
        if module.startswith("numpy.core."):
            module = module.replace("numpy.core.", "numpy._core.", 1)
        if not allowed(module, name):
            raise ArtifactError(
                f"the pickle names {f'{module}.{name}'!r}, which is not on the service's "
                "allow-list; nothing of it was run"
            )
        found = super().find_class(module, name)
        self._named.append(found)
        return found


def allowed(module: str, name: str) -> bool:
    """True where the class or function may be named by a model's file."""
    return name in _ALLOWED.get(module, ())


def loads(data: bytes, *, other_version: bool = False) -> tuple[Any, frozenset[str]]:
    """Gives the unpickled object and the scikit-learn versions, other than ours, that wrote it.

    Raises ArtifactError for a class that is not allowed, a damaged pickle, a library that is
    missing, or (unless `other_version`) a pickle from another minor version of scikit-learn, whose
    estimators may load and then predict wrongly.
    """
    return guarded(lambda: _Unpickler(data).load(), "the pickle", other_version=other_version)


def guarded(
    read: Callable[[], Any], what: str, *, other_version: bool = False
) -> tuple[Any, frozenset[str]]:
    """Gives what `read` makes of a file (`what`, in messages), as `loads` does for a pickle."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read()
        except ArtifactError:
            raise
        except ModuleNotFoundError as error:
            package = (error.name or "a library").partition(".")[0]
            raise ArtifactError(
                f"the model was trained with {package}, which is not installed here: "
                f"install {package} where the service runs, or train another estimator"
            ) from error
        except Exception as error:  # a damaged file can raise anything at all
            raise ArtifactError(f"{what} cannot be read: {type(error).__name__}") from error
    versions = frozenset(
        _version(warning.message.original_sklearn_version)
        for warning in caught
        if isinstance(warning.message, InconsistentVersionWarning)
    )
    foreign = sorted(v for v in versions if _minor(v) != _minor(sklearn.__version__))
    if foreign and not other_version:
        raise ArtifactError(
            f"{what} was written by scikit-learn {', '.join(foreign)} and this is "
            f"{sklearn.__version__}: train it again with this version"
        )
    return found, versions


def _version(found: object) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,40}", found):
        raise ArtifactError("it names no version of scikit-learn that there could be")
    return found


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
