"""Write a model in another format, for programs that are not this service.

    python -m training.export ride --to c
    python -m training.export churn --to python javascript --output build
    python -m training.export ride --to sql --dialect postgres sqlite
    python -m training.export models:/ride-duration@champion --to onnx pmml --register

Each format becomes a folder NAME-FORMAT with the model, its signature, golden records, digests and
the proof that was run. NAME is a model in MODELS_DIR, a folder, or models:/ride-duration@champion.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.errors import StartError
from scoring.process.usage import of_docstring
from scoring.registry.resolve import ResolvedModel, resolve
from scoring.registry.settings import RegistrySettings
from training.errors import TrainingError, leave
from training.export.dialects import DIALECTS
from training.export.form import ExportError
from training.export.formats import FORMATS
from training.export.package import export
from training.export.reading import read_form
from training.export.skops_pair import NAME as SKOPS
from training.export.skops_pair import export_skops
from training.optional import needed_by

if TYPE_CHECKING:
    from training.export.attach import Attachment


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    names = [*dict.fromkeys(name.partition("-")[0] for name in FORMATS), SKOPS]
    line = argparse.ArgumentParser(prog="python -m training.export", **of_docstring(__doc__))
    line.add_argument(
        "model", metavar="NAME", help="a model, its folder, or models:/NAME@ALIAS or /NUMBER"
    )
    line.add_argument(
        "--to", nargs="+", required=True, choices=names, metavar="FORMAT", help=", ".join(names)
    )  # fmt: skip
    line.add_argument(
        "--dialect", nargs="+", choices=list(DIALECTS), metavar="DIALECT",
        help=f"of SQL: {', '.join(DIALECTS)} (default: duckdb)",
    )  # fmt: skip
    line.add_argument(
        "--output", type=Path, default=Path("exports"), metavar="DIR",
        help="writes DIR/NAME-FORMAT/ (default: %(default)s)",
    )  # fmt: skip
    line.add_argument(
        "--register", action="store_true",
        help="attach what is written to the version of the MLflow registry that NAME is",
    )  # fmt: skip
    return line


def main(words: Sequence[str] | None = None) -> None:
    """Write the formats one after the other; exit with status 1 and one line where one fails."""
    line = parser()
    given = line.parse_args(words)
    if given.dialect and "sql" not in given.to:
        line.error("--dialect is one of SQL: --to sql")
    if given.register and not given.model.startswith("models:"):
        line.error(
            "--register attaches exports to the version that they are made of: NAME is then "
            "models:/NAME@ALIAS or models:/NAME/NUMBER"
        )
    sql = [f"sql-{dialect}" for dialect in given.dialect or ("duckdb",)]
    formats = [one for name in given.to for one in (sql if name == "sql" else [name])]
    try:
        resolved = resolve(given.model, RegistrySettings.from_env(os.environ))
        predictor = resolved.load()
        version = _version(resolved) if given.register else None
        form = read_form(predictor) if {*formats} - {SKOPS} else None
        for note in form.notes if form else ():
            print(note)
        for name in dict.fromkeys(formats):
            target = given.output / f"{predictor.model.name}-{name}"
            if form is None or name == SKOPS:
                made = export_skops(predictor, resolved.folder, target)
            else:
                made = export(predictor, form, target, FORMATS[name])
            size = sum(file["bytes"] for file in made["files"].values())
            print(f"wrote {target}: {size:,} bytes, {_proved(made['proof'])}")
            if version is not None:
                print(_attached(version, target, name, made["proof"]))
    except (StartError, TrainingError) as error:
        leave("training.export", error)


def _version(resolved: ResolvedModel) -> Attachment:
    with needed_by("--register"):
        from training.export.attach import Attachment  # imports mlflow, which takes seconds

    assert resolved.ref is not None  # noqa: S101  # it is of the registry
    return Attachment(resolved.ref)


def _attached(version: Attachment, target: Path, name: str, proof: dict[str, object]) -> str:
    if "not_run" in proof:
        raise ExportError(f"{target} is not proved, so it is not attached: {proof['not_run']}")
    return f"attached as {version.add(target, name)}"


def _proved(proof: dict[str, object]) -> str:
    if "not_run" in proof:
        return f"not proved: {proof['not_run']}"
    return (
        f"{proof['records']} records scored by {proof['judge']}, "
        f"at most {proof['largest_difference']:.2g} apart"
    )


if __name__ == "__main__":
    main()
