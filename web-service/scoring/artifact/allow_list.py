"""The classes and functions that a model's file may name, as a pickle or as a skops file.

A pickle is a program: it names callables and calls them. Only the callables below can be named, by
their exact module and name; `os.system` cannot, nor what an allowed module happens to have imported
(`sklearn.pipeline` + `os.system`), nor a dotted path through an allowed class.

To allow another estimator, train it, try to load it, and add the classes that the refusal names,
after reading what their constructors, `__reduce__` and `__setstate__` do with hostile arguments.
"""

from __future__ import annotations

from typing import Final

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
        "sklearn._loss._loss": (
            "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfMultinomialLoss "
            "CyHalfSquaredError CyHuberLoss CyPinballLoss __pyx_unpickle_CyHalfMultinomialLoss"
        ),
        "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogitLink MultinomialLogit",
        "sklearn._loss.loss": (
            "AbsoluteError ExponentialLoss HalfBinomialLoss HalfMultinomialLoss HalfSquaredError "
            "HuberLoss PinballLoss"
        ),
        "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
        "sklearn.compose._column_transformer": "ColumnTransformer",
        "sklearn.dummy": "DummyClassifier DummyRegressor",
        "sklearn.ensemble._forest": (
            "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor"
        ),
        "sklearn.ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": (
            "HistGradientBoostingClassifier HistGradientBoostingRegressor"
        ),
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.feature_extraction._dict_vectorizer": "DictVectorizer",
        "sklearn.feature_selection._variance_threshold": "VarianceThreshold",
        "sklearn.linear_model._base": "LinearRegression",
        "sklearn.linear_model._coordinate_descent": "ElasticNet ElasticNetCV Lasso LassoCV",
        "sklearn.linear_model._logistic": "LogisticRegression LogisticRegressionCV",
        "sklearn.linear_model._ridge": "Ridge RidgeCV",
        "sklearn.linear_model._stochastic_gradient": "SGDRegressor",
        "sklearn.model_selection._split": "KFold StratifiedKFold",  # numbers alone
        "sklearn.pipeline": "Pipeline",
        "sklearn.preprocessing._data": "MaxAbsScaler StandardScaler",
        "sklearn.preprocessing._function_transformer": "FunctionTransformer",
        "sklearn.preprocessing._label": "LabelEncoder",
        "sklearn.preprocessing._target_encoder": "TargetEncoder",
        "sklearn.tree._classes": (
            "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor"
        ),
        "sklearn.tree._tree": "Tree",
        "sklearn.utils.extmath": "safe_sparse_dot",  # a product of two matrices
        "xgboost.core": "Booster",
        "xgboost.sklearn": "XGBClassifier XGBRegressor",
    }.items()
}


def allowed(module: str, name: str) -> bool:
    """Return whether the class or function may be named by a model's file."""
    return name in _ALLOWED.get(module, ())
