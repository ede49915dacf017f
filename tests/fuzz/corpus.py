"""What the fuzz targets start from and where they leave what they find."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scoring.models import discover
from scoring.predictor import Predictor
from tests.request_pairs import CASES, raw_requests
from tests.support import ROOT, write_artifact

FINDINGS = ROOT / "test-output" / "fuzz"  # git-ignored

_LARGEST_SEED = 4096  # larger ones are many times the same, and slow
_TOKENS = [*'{}[],:"', "null", "true", "false", "NaN", "Infinity", "-0", "1e5", "1E999", "\\ud83d"]


def predictors(folder: Path) -> list[Predictor]:
    """Return a predictor of every model that is found, over tiny artifacts in `folder`, which are
    made where there are none."""
    found = []
    for name, model in discover().items():
        if not (folder / name).is_dir():
            write_artifact(model, folder)
        found.append(Predictor.from_folder(folder / name, model))
    return found


def bodies() -> Iterator[bytes]:
    """Return the bodies of the pairs in `tests/requests/`."""
    for file in CASES.values():
        for part in raw_requests(file.read_bytes()):
            body = part.partition(b"\r\n\r\n")[2]
            if 0 < len(body) <= _LARGEST_SEED:
                yield body


def words() -> Iterator[str]:
    """Return what bodies are made of, as a dictionary of libFuzzer has it."""
    names: set[str] = set()
    for model in discover().values():
        for name, value in model.example.items():
            names |= {f'"{name}":', f'"{value}"' if isinstance(value, str) else f"{value}"}
    for token in [*_TOKENS, *sorted(names)]:
        yield '"' + token.replace("\\", "\\\\").replace('"', '\\"') + '"'


def again(target: str, what: str) -> str:
    """Return the command that tries a finding again."""
    return f"{Path(sys.executable).name} -m tests.fuzz.{target} {what}"
