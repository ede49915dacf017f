"""Rules that hold for every file: read from the sources, without importing them. Each case lists
the files that break its rule."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from tests.support import ROOT

CORE = ROOT / "web-service" / "scoring"
# each a way to use the core; `benchmarks`, `deploy`, `examples` and `tests` are about all of them
ROOMS = ("batch", "monitoring", "pipeline", "streaming", "training")
HTTP = {"serving", "flask", "werkzeug", "gunicorn"}

# of the artifact: what makes one asks the predictor, what reads one is asked by it
MAKERS = ["artifact.writing"]
# From what joins everything down to the errors: each may import what stands to its right.
SPINE = ["registry", "engine", "explain", "intervals", "observers", *MAKERS, "predictor", "ranges",
         "compiler", "artifact", "saved", "shared_memory", "scorers", "lookups", "profiles",
         "models", "model_checks", "model", "field_kinds", "cells", "untouched", "typed_decoder",
         "typed_records", "record", "process", "limits", "values", "errors"]  # fmt: skip

# What the image holds, and where in the core each of the others may be imported.
IMAGE = {"scoring", "serving", "flask", "werkzeug", "gunicorn", "pydantic", "pydantic_core",
         "annotated_types", "orjson", "msgspec", "uvloop", "gunicorn_h1c", "opentelemetry",
         "prometheus_client"}  # fmt: skip
ELSEWHERE = {
    "registry/": {"requests", "boto3", "botocore"},  # by its poller alone
    # where a model without a compiled form is served, or one is compiled
    "artifact/pickles.py": {"numpy", "scipy", "sklearn"},
    "artifact/foreign.py": {"numpy", "scipy", "sklearn"},
    "compiler/": {"numpy", "scipy", "sklearn"},
    "saved/": {"numpy"},
    "profiles/": {"numpy"},  # by what makes, watches and compares them, not by what serves
    "scorers/sklearn.py": {"numpy", "scipy", "sklearn"},
    "scorers/tree_nodes.py": {"numpy"},
    "scorers/vectorised.py": {"numpy"},
}  # fmt: skip

LONGEST = 300  # lines
PACKAGES = ("scoring", "serving")
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
# sent to people who have nothing else of ours
ONE_FILE = {"examples/promote.py"}


@cache
def files(*places: str) -> list[Path]:
    """Return the Python files of these folders and files of the project, in order."""
    found: list[Path] = []
    for place in places:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if not any(part.startswith(".venv") for part in path.parts)]


def every_file() -> list[Path]:
    """Return each Python file of ours but for the tests'."""
    return files("web-service", "train.py", *ROOMS, "benchmarks", "deploy", "examples")


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


class Outline(NamedTuple):
    """What the rules ask of a file. Its syntax tree is not kept: those of a thousand files make
    each later garbage collection of the process slow."""

    imports: frozenset[str]  # dotted names, those within functions too
    documented: tuple[tuple[str, str | None], ...]  # what can have a docstring, and the docstring
    undocumented: tuple[str, ...]  # public names of the module that have none


@cache
def outline(path: Path) -> Outline:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    documented: list[tuple[str, str | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{name.name}" for name in node.names}
        elif isinstance(node, DOCUMENTED):
            documented.append((getattr(node, "name", ""), ast.get_docstring(node, clean=False)))
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name[0] != "_"
    ]
    without = [node.name for node in public if not ast.get_docstring(node)]
    module = [] if ast.get_docstring(tree) else ["the module"]
    return Outline(frozenset(found), tuple(documented), (*module, *without))


def imports(path: Path) -> frozenset[str]:
    return outline(path).imports


def packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, the standard library left out."""
    return {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names


def extra(path: Path, allowed: Iterable[str]) -> list[str]:
    """Return what a file imports beyond `allowed`, as lines for people."""
    return [f"{title(path)} imports {name}" for name in sorted(packages(path) - {*allowed})]


def test_the_files_are_found() -> None:
    """Else everything below would hold of nothing."""
    names = {path.name for path in every_file()}
    assert {"predict.py", "gunicorn.conf.py", "app.py", "ride.py", "train.py"} <= names
    assert "flask" in packages(ROOT / "web-service/serving/app.py")
    assert "scoring.errors.StartError" in imports(ROOT / "web-service/predict.py")


def test_what_serves_imports_what_the_image_holds() -> None:
    """No pandas, no MLflow, nothing that trains; and scikit-learn in few files only, so that what
    serves a compiled model knows nothing of it."""
    offenders = []
    for path in files("web-service"):
        inside = str(path.relative_to(CORE)) if path.is_relative_to(CORE) else ""
        more = [names for place, names in ELSEWHERE.items() if inside.startswith(place)]
        offenders += extra(path, IMAGE.union(*more))
    assert offenders == []


def test_the_core_knows_no_http() -> None:
    """`scoring` imports neither `serving` nor what HTTP is made of."""
    offenders = [title(path) for path in files("web-service/scoring") if packages(path) & HTTP]
    assert offenders == []


def stage(name: str) -> str:
    """Return where in the spine a module stands, or a name in it."""
    return next((m for m in MAKERS if name.startswith(m)), name.partition(".")[0])


def test_imports_of_the_core_run_one_way() -> None:
    """registry -> engine -> observers -> predictor -> artifact -> scorers -> models -> record."""
    offenders = []
    for path in files("web-service/scoring"):
        place = stage(".".join(path.relative_to(CORE).with_suffix("").parts))
        own = {stage(name[8:]) for name in imports(path) if name.startswith("scoring.")}
        above = SPINE[: SPINE.index(place)] if place in SPINE else SPINE
        if place != "__init__":
            offenders += [f"{title(path)} imports scoring.{name}" for name in own & {*above}]
    assert offenders == []


def modules_of_the_service() -> dict[str, Path]:
    """Return the files of `scoring` and `serving` by their dotted names."""
    base = ROOT / "web-service"
    found = {}
    for path in files("web-service/scoring", "web-service/serving"):
        parts = path.relative_to(base).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def test_no_two_modules_import_each_other() -> None:
    """Neither directly nor through others, imports for types and within functions included: each
    module can be read without those that use it."""
    modules = modules_of_the_service()
    graph = {
        name: {
            dotted if dotted in modules else dotted.rpartition(".")[0] for dotted in imports(path)
        }
        & modules.keys() - {name}
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" <- ".join(error.args[1])) from None


def test_only_what_serves_imports_serving() -> None:
    """Every other way to use a model uses the core, without HTTP."""
    offenders = [title(path) for path in files("train.py", *ROOMS) if packages(path) & HTTP]
    assert offenders == []


def test_rooms_do_not_know_each_others_insides() -> None:
    """Of another room only what its package offers is imported: `monitoring.report`, not a name of
    a module within it."""
    offenders = []
    for path in files(*ROOMS):
        for name in sorted(imports(path)):
            room, *inside = name.split(".")
            if room in ROOMS and room != path.relative_to(ROOT).parts[0] and len(inside) > 1:
                offenders.append(f"{title(path)} imports {name}")
    assert offenders == []


def test_a_model_is_made_of_plain_parts() -> None:
    """A model file knows the record and what a model is, nothing of files or estimators."""
    offenders = []
    for path in files("web-service/scoring/models"):
        offenders += extra(path, {"scoring", "pydantic"})
        own = {name.rpartition(".")[0] for name in imports(path) if name.startswith("scoring")}
        of_package = {
            f"scoring.{part}"
            for part in ("errors", "field_kinds", "model", "model_checks", "values.shares")
        }
        of_package = of_package if path.name == "__init__.py" else set()
        offenders += [
            f"{title(path)} imports {name}"
            for name in sorted(own - {"scoring.models", "scoring.record"} - of_package)
        ]
    assert offenders == []


def test_files_are_short_and_imports_absolute() -> None:
    """At most 300 lines, of tests as well, and no `from . import`."""
    offenders = [
        f"{title(path)} has {length} lines"
        for path in [*every_file(), *files("tests")]
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
        and title(path) not in ONE_FILE
    ]
    offenders += [
        f"{title(path)} imports relatively"
        for path in every_file()
        if any(name.startswith(".") for name in imports(path))
    ]
    assert offenders == []


def test_what_is_public_says_what_it_does() -> None:
    """Each file, and each public class and function of a module, has a docstring."""
    offenders = []
    for path in every_file():
        if path.parent == CORE / "models" and path.stem != "__init__":
            continue  # the functions of a model file are described where they are called
        offenders += [f"{title(path)}: {name}" for name in outline(path).undocumented]
    assert offenders == []


def test_docstrings_are_in_the_imperative() -> None:
    """As in "Return the features"; none begins with "Gives"."""
    offenders = [
        f"{title(path)}: {name}"
        for path in [*every_file(), *files("tests")]
        for name, text in outline(path).documented
        if text and text.startswith("Gives")
    ]
    assert offenders == []


def test_each_test_says_what_it_shows() -> None:
    """One line of docstring that states the behaviour."""
    offenders = [
        f"{title(path)}: {name}"
        for path in files("tests")
        if path.name.startswith("test_")
        for name, text in outline(path).documented
        if name.startswith("test_") and not text
    ]
    assert offenders == []


def test_the_architecture_names_what_there_is() -> None:
    """Each path that the page names exists, and each part of the two packages is named."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    tops = [ROOT, ROOT / "web-service", *(ROOT / "web-service" / name for name in PACKAGES)]
    named = set(re.findall(r"(?<![\w./-])[\w-]+(?:[/.][\w-]+)*(?:\.py|\.yaml|/)(?![\w/<])", page))
    assert len(named) > 40
    folders = [
        top / folder for top in tops for folder in ("", "serving/server", "scoring/artifact")
    ]
    missing = [path for path in named if not any((folder / path).exists() for folder in folders)]
    assert missing == []
    for package in PACKAGES:
        for part in (ROOT / "web-service" / package).iterdir():
            if not part.name.startswith("_"):
                wanted = f"{part.name}/" if part.is_dir() else part.name
                assert wanted in page, f"{package}/{part.name} is not on the page"
