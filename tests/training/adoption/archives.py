"""The saved models that the tests of adoption read: this version's own, and those of others."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import sklearn

from scoring.saved.containers import Saved, read_bytes
from tests.training.adoption.make_files import ROWS_OF, entries

FOLDER: Final = Path(__file__).with_name("files")
OTHERS: Final = ("1.1", "1.2", "1.3", "1.5", "1.7")
OURS: Final = ".".join(sklearn.__version__.split(".")[:2])


@dataclass(frozen=True)
class Case:
    """One model in one shape."""

    model: str
    estimator: str
    shape: str
    files: list[str]
    pick: str | None


@dataclass(frozen=True)
class Archive:
    """All models of one version of scikit-learn."""

    content: dict[str, bytes]
    answers: dict[str, dict[str, Any]]  # by model and estimator, of the first records
    cases: list[Case]

    def saved(self, case: Case) -> list[Saved]:
        """Return the files of a case, read as training.adopt reads them."""
        return [read_bytes(Path(name).name, self.content[name]) for name in case.files]

    def of(self, model: str, estimator: str) -> list[Case]:
        """Return each shape of one estimator."""
        return [c for c in self.cases if (c.model, c.estimator) == (model, estimator)]


@cache
def archive(version: str) -> Archive:
    """Return the models that scikit-learn `version` saved."""
    if version == OURS:
        content = dict(entries())
    else:
        with tarfile.open(FOLDER / f"scikit-learn-{version}.tar.xz") as file:
            content = {
                entry.name: held.read() for entry in file if (held := file.extractfile(entry))
            }
    told = json.loads(content.pop("answers.json"))
    return Archive(content, told["answers"], [Case(**case) for case in told["files"]])


def asked(model: str) -> list[dict[str, Any]]:
    """Return the features of the records whose answers the archives have."""
    rows: list[dict[str, Any]] = ROWS_OF[model]()[0]
    return rows[:6]
