"""Tries a body that was found by the decoder's target again, without atheris in the way:

python -m tests.fuzz.replay test-output/fuzz/crash-...
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzz import answers, corpus


def main(files: list[str], models: Path | None = None) -> None:
    """Raise what the body of a file raises; print a line for each that is right."""
    with tempfile.TemporaryDirectory() as folder:
        predictors = corpus.predictors(models or Path(folder))
    for file in files:
        answers.check(predictors, Path(file).read_bytes())
        print(f"{file}: right")


if __name__ == "__main__":
    main(sys.argv[1:])
