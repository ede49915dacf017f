"""Read a pickle that names what the allow-list holds, and refuse any other before it runs."""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from scoring.artifact.allow_list import allowed
from scoring.artifact.manifest import UNKNOWN
from scoring.errors import ArtifactError


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


def loads(data: bytes, *, other_version: bool = False) -> tuple[Any, frozenset[str]]:
    """Return the unpickled object and the scikit-learn versions, other than ours, that wrote it.

    Raises ArtifactError for a class that is not allowed, a damaged pickle, a library that is
    missing, or (unless `other_version`) a pickle from another minor version of scikit-learn, whose
    estimators may load and then predict wrongly.
    """
    return guarded(lambda: _Unpickler(data).load(), "the pickle", other_version=other_version)


def guarded(
    read: Callable[[], Any], what: str, *, other_version: bool = False
) -> tuple[Any, frozenset[str]]:
    """Return what `read` makes of a file (`what`, in messages), as `loads` does for a pickle."""
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


def check_fitted(stated: str, name: str) -> None:
    """Raise ArtifactError where the pickle `name`, which bears our version's stamp, was fitted by
    another minor version: pickled again, a pair loses the stamp that the check goes by."""
    if stated != UNKNOWN and _minor(stated) != _minor(sklearn.__version__):
        raise ArtifactError(
            f"the manifest says that scikit-learn {stated} fitted the pair, and {name} was pickled "
            f"by {sklearn.__version__}: pickled again by hand, it may predict wrongly; train it "
            "again with this version"
        )


def _version(found: object) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,40}", found):
        raise ArtifactError("it names no version of scikit-learn that there could be")
    return found


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
