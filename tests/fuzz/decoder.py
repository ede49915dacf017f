"""Look for a body that breaks anything between its bytes and the answer's, guided by coverage.

    python -m tests.fuzz.decoder --seconds 300

libFuzzer (atheris) ends this process itself, with a status other than 0 where it found something.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import atheris

from scoring.process.usage import of_docstring


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m tests.fuzz.decoder", **of_docstring(__doc__))
    line.add_argument("--seconds", type=int, default=300, help="default: %(default)s")
    line.add_argument("--runs", type=int, default=-1, help="inputs to try at most")
    line.add_argument("--seed", type=int, default=0, help="0: another one each time")
    line.add_argument("--models", type=Path, help="artifacts; not given: tiny ones are made")
    line.add_argument("--output", type=Path, help="where what is found is kept")
    return line


def main(arguments: list[str]) -> None:
    """Look for a body that breaks something. Does not come back."""
    given = parser().parse_args(arguments)
    with atheris.instrument_imports(include=["scoring", "tests.fuzz.answers"]):
        from tests.fuzz import answers, corpus
    output = given.output or corpus.FINDINGS
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    predictors = corpus.predictors(given.models or folder)

    def one_input(body: bytes) -> None:
        try:
            answers.check(predictors, body)
        except BaseException:
            name = f"crash-{hashlib.sha1(body).hexdigest()}"  # as libFuzzer will call it
            where = output / name
            print(f"\nfound {body!r:.300}\ntry again: {corpus.again('replay', str(where))}")
            raise

    output.mkdir(parents=True, exist_ok=True)
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, body in enumerate(corpus.bodies()):
        (seeds / f"{number:03}").write_bytes(body)
    dictionary = folder / "words"
    dictionary.write_text("\n".join(corpus.words()), encoding="utf-8")
    options = {
        "max_total_time": given.seconds, "runs": given.runs, "seed": given.seed,
        "max_len": 4096, "timeout": 20, "dict": dictionary,
        "artifact_prefix": f"{output}/", "print_final_stats": 1, "verbosity": 1,
    }  # fmt: skip
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(seeds)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
