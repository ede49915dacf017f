"""Try a body that was found by the decoder's target again, without atheris in the way.

python -m tests.fuzz.replay test-output/fuzz/crash-0a1b2c
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from scoring.process.usage import of_docstring
from tests.fuzz import answers, corpus


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m tests.fuzz.replay", **of_docstring(__doc__))
    line.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a body each")
    return line


def main(files: list[Path], models: Path | None = None) -> None:
    """Raise what the body of a file raises; print a line for each that is right."""
    with tempfile.TemporaryDirectory() as folder:
        predictors = corpus.predictors(models or Path(folder))
    for file in files:
        answers.check(predictors, file.read_bytes())
        print(f"{file}: right")


if __name__ == "__main__":
    main(parser().parse_args().files)
