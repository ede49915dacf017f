"""Takes in a pair that was pickled elsewhere, such as a tutorial's `lin_reg.bin`.

    python -m training.adopt ride lin_reg.bin
    python -m training.adopt ride models/ride     an artifact of before compiled forms gets its own

The pickle is read through the service's allow-list, checked for the features that the model's code
makes, tried on the example, and written with a manifest of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring.artifact import MANIFEST, OTHER_VERSION, Manifest
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.unpickle import loads
from training import artifact
from training.errors import TrainingError


def adopt(
    model: Model, path: Path, output: Path, *, threshold: float | None, other_version: bool
) -> Manifest:
    """Writes `output/<model>/` with the very bytes of `path` and gives its manifest. Raises
    ArtifactError for a pickle that the service would not load, one of another scikit-learn minor
    version included, unless `other_version`; the manifest then says so."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    pair, versions = loads(data, other_version=other_version)
    notes = [f"taken in from {path.name}, trained elsewhere"]
    if versions:
        notes += [OTHER_VERSION, f"pickled by scikit-learn {', '.join(sorted(versions))}"]
    try:
        return artifact.write(
            output,
            model,
            pair,
            golden=[model.example],
            threshold=model.threshold if threshold is None else threshold,
            pickled=data,
            say=print,
            notes=notes,
        )
    except (ArtifactError, TrainingError):
        raise
    except Exception as error:  # what came through the checks can still raise anything when asked
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ArtifactError(
            f"the pair cannot answer the example of '{model.name}': {what}"
        ) from error


def probability(text: str) -> float:
    """Gives the number from 0 to 1 that `text` is; for argparse, which says what is wrong."""
    value = float(text)
    if not 0 <= value <= 1:  # NaN is neither
        raise ValueError(text)
    return value


def main(words: Sequence[str] | None = None) -> None:
    """Takes in one pair; exits with status 1 and one line where it cannot."""
    models = discover()
    line = argparse.ArgumentParser(
        prog="python -m training.adopt", description=(__doc__ or "").partition("\n")[0]
    )
    line.add_argument("model", choices=list(models), metavar="MODEL", help=", ".join(models))
    line.add_argument(
        "pickle", type=Path, metavar="FILE", help="pickle of the pair, or an artifact's folder"
    )
    line.add_argument(
        "--output", type=Path, default=Path("models"), metavar="DIR",
        help="writes DIR/MODEL/ (default: %(default)s)",
    )  # fmt: skip
    line.add_argument(
        "--threshold", type=probability, metavar="P",
        help="probability from which a class is predicted (default: the model's)",
    )  # fmt: skip
    line.add_argument(
        "--other-version", action="store_true",
        help="take it although another scikit-learn version pickled it: its predictions may differ",
    )  # fmt: skip
    given = line.parse_args(words)
    model = models[given.model]
    options = {"threshold": given.threshold, "other_version": given.other_version}
    try:
        if not (given.pickle / MANIFEST).is_file():
            manifest = adopt(model, given.pickle, given.output, **options)
        elif any(options.values()):
            line.error(
                "an artifact keeps its threshold and its pair: give the pickle in it instead"
            )
        else:
            manifest = artifact.compile_again(given.pickle, given.output, model, print)
    except (ArtifactError, TrainingError) as error:
        hint = "; --other-version takes it all the same" if "written by" in str(error) else ""
        sys.exit(f"training.adopt: {error}{hint}")
    print(f"wrote {given.output / given.model}: version {manifest.version}")


if __name__ == "__main__":
    main()
