"""Makes the files of other skops versions that the tests beside it read.

python make_skops.py files/skops-0.9.tar.xz     with scikit-learn and skops; see README.md
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from typing import Any

import sklearn
import skops
import skops.io
from make_files import MAKERS, fitted  # type: ignore[import-not-found]  # beside it
from sklearn.pipeline import Pipeline


def main(path: str) -> None:
    """Write the archive: each estimator as a pair, a few in other shapes and packed."""
    answers: dict[str, dict[str, Any]] = {}
    with tarfile.open(path, "w:xz", preset=9) as archive:

        def add(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

        for model, makers in MAKERS.items():
            answers[model] = {}
            for name in makers:
                try:
                    dv, estimator, answers[model][name] = fitted(model, name)
                except (TypeError, ValueError):  # an option that this version does not have
                    continue
                add(f"{model}/{name}/pair", skops.io.dumps((dv, estimator)))
                if name in ("linear", "logistic", "forest"):
                    whole = Pipeline([("dv", dv), ("model", estimator)])
                    add(f"{model}/{name}/pipeline", skops.io.dumps(whole))
                    held = {"dv": dv, "models": {"x": estimator}}
                    add(f"{model}/{name}/dictionary", skops.io.dumps(held))
                    packed = skops.io.dumps((dv, estimator), compression=zipfile.ZIP_DEFLATED)
                    add(f"{model}/{name}/packed", packed)
        versions = {"scikit-learn": sklearn.__version__, "skops": skops.__version__}
        add("answers.json", json.dumps({"versions": versions, "answers": answers}).encode())


if __name__ == "__main__":
    main(sys.argv[1])
