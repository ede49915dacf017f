"""Ask what our own OpenAPI document allows and what it forbids (schemathesis).

    python -m tests.fuzz.openapi --seconds 300             the app in this process
    python -m tests.fuzz.openapi --url http://host:port    a service that runs

No 5xx, no status and no media type that the document does not name, no answer of another shape;
what the document allows is taken, what it forbids is refused.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation

from scoring.process.usage import of_docstring
from serving.app import create_app
from serving.settings import Settings
from tests.fuzz import corpus
from tests.request_pairs import SECRETS

# of these the document says what a body may hold in words: which keys depends on the model
_LOOSE = ("/invocations", "/v2/")


def of_app(app: Flask) -> Any:
    """Return the schema that `app` publishes, and ask it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def loaded(document: dict[str, Any], app: Flask) -> Any:
    """Return the schema of `document`, and ask `app`."""
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    return schema


def of_url(url: str) -> Any:
    """Return the schema that the service at `url` publishes, and ask it."""
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


def operations(schema: Any) -> list[Any]:
    """Return everything that can be asked, by the document."""
    return [found.ok() for found in schema.get_all_operations()]


def fuzz(operation: Any, seed: int, examples: int) -> int:
    """Ask so many right and so many wrong things, and return how many they were in all; the first
    bad answer, made as small as can be, is raised. The same seed asks the same."""
    asked = 0

    def ask(case: Any, mode: GenerationMode) -> None:
        nonlocal asked
        asked += 1
        loose = case.operation.path.startswith(_LOOSE)
        left_out = []
        if mode.is_positive:
            if loose:
                left_out.append(CHECKS.get_one("positive_data_acceptance"))
        elif loose or _is_only_ignored(case):
            left_out.append(CHECKS.get_one("negative_data_rejection"))
        response = case.call()
        case.validate_response(response, excluded_checks=left_out)
        assert not SECRETS.search(response.text), response.text

    for mode in GenerationMode:
        bounded = settings(
            max_examples=examples, database=None, deadline=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        cases = operation.as_strategy(generation_mode=mode).map(lambda case, m=mode: (case, m))
        try:
            decorate: Any = given(cases)
            seeded(seed)(bounded(decorate(lambda pair: ask(*pair))))()
        except Unsatisfiable:
            continue  # nothing is sent there, so nothing can be wrong with it
    return asked


def _is_only_ignored(case: Any) -> bool:
    """No reason to refuse: a malformed X-Request-ID, which is replaced, and other parameters."""
    wrong = {where for where, part in case.meta.components.items() if part.mode.is_negative}
    return wrong <= {ParameterLocation.HEADER, ParameterLocation.QUERY}


def _rounds(seconds: int, seed: int) -> Iterator[int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield seed
        seed += 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m tests.fuzz.openapi", **of_docstring(__doc__))
    line.add_argument("--seconds", type=int, default=300, help="default: %(default)s")
    line.add_argument("--seed", type=int, default=random.getrandbits(30), help="of round one")
    line.add_argument("--url", help="a service that runs; not given: the app, in this process")
    line.add_argument("--output", type=Path, default=corpus.FINDINGS,
                      help="where what is found is kept (default: %(default)s)")  # fmt: skip
    return line


def main(arguments: list[str]) -> None:
    """End with status 1 at the first bad answer, and say how to ask the same again."""
    chosen = parser().parse_args(arguments)
    if chosen.url:
        schema = of_url(chosen.url)
    else:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        corpus.predictors(folder)
        schema = of_app(create_app(Settings(models_dir=folder)))
    asked = 0
    for seed in _rounds(chosen.seconds, chosen.seed):
        for operation in operations(schema):
            try:
                asked += fuzz(operation, seed, 50)
            except (AssertionError, BaseExceptionGroup, OSError) as error:
                chosen.output.mkdir(parents=True, exist_ok=True)
                where = chosen.output / f"openapi-{seed}.txt"
                again = corpus.again("openapi", f"--seconds 1 --seed {seed}")
                where.write_text(f"{operation.label}\n{error!r}\n{error}\n", encoding="utf-8")
                sys.exit(f"{operation.label}: {error}\nin {where}; try again: {again}")
        print(f"seed {seed}: {asked} requests in all, every answer right", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
