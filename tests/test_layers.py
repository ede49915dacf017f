"""Imports run one way, files stay short: read from the sources, without importing them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

WEB_SERVICE = ROOT / "web-service"
SCORING = WEB_SERVICE / "scoring"
SERVING = sorted(WEB_SERVICE.rglob("*.py"))
TRAINING = [ROOT / "train.py", *sorted((ROOT / "training").rglob("*.py"))]
EVERY = [*SERVING, *TRAINING]

# From the one who joins everything down to the record: each may import what stands to its right.
LAYERS = ["server", "app", "api", "pages", "openapi", "registry", "service", "explain", "witness",
          "metrics", "predictionlog", "predictor", "artifact", "unskops", "unpickle", "scorers",
          "protocols", "models", "record", "jsontext", "keys", "errors"]  # fmt: skip


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """Gives the dotted names of all that a file imports, also within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{title(path)} imports relatively"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def packages(path: Path) -> set[str]:
    """Gives the top-level packages that a file imports, the standard library left out."""
    return {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names


def layer(path: Path) -> str:
    return path.relative_to(SCORING).with_suffix("").parts[0]


def test_the_files_are_found() -> None:
    """Else everything below would hold of nothing."""
    assert {"predict.py", "gunicorn.conf.py", "app.py", "ride.py"} <= {
        path.name for path in SERVING
    }
    assert "flask" in packages(SCORING / "app.py")
    assert "scoring.errors.StartError" in imports(WEB_SERVICE / "predict.py")


@pytest.mark.parametrize("path", SERVING, ids=title)
def test_serving_imports_nothing_of_training(path: Path) -> None:
    """The image holds no pandas, no MLflow, no XGBoost and nothing that trains."""
    here = {"scoring", "flask", "werkzeug", "gunicorn", "numpy", "scipy", "sklearn", "pydantic",
            "orjson", "opentelemetry"}  # fmt: skip
    # what the registry takes is imported by its follower, or where such a file has come
    here |= {
        "registry": {"requests", "boto3", "botocore"},
        "unskops": {"skops"},
        "metrics": {"prometheus_client"},
        "server": {"prometheus_client"},
    }.get(layer(path) if path.is_relative_to(SCORING) else "", set())
    assert packages(path) <= here


HEAVY = {"numpy", "scipy", "sklearn"}
# Imported only where a model without a compiled form is served, or one is compiled.
HEAVY_FILES = {
    "unpickle.py",
    "registry/readers.py",
    *(f"scorers/{name}.py" for name in ("compiling", "flatten", "pair", "vectorised")),
}


@pytest.mark.parametrize("path", SERVING, ids=title)
def test_few_files_import_scikit_learn(path: Path) -> None:
    """Whatever serves a compiled model knows nothing of it."""
    assert not packages(path) & HEAVY or str(path.relative_to(SCORING)) in HEAVY_FILES


@pytest.mark.parametrize("path", sorted(SCORING.rglob("*.py")), ids=title)
def test_only_what_stands_above_the_service_knows_of_http(path: Path) -> None:
    """Below the app nothing imports Flask or Werkzeug; gunicorn is the server's alone."""
    if layer(path) not in {"server", "app", "api"}:
        assert not packages(path) & {"flask", "werkzeug"}
    assert "gunicorn" not in packages(path) or layer(path) == "server"


@pytest.mark.parametrize("path", sorted(SCORING.rglob("*.py")), ids=title)
def test_imports_run_one_way(path: Path) -> None:
    """server -> app -> api -> registry -> service -> predictor -> scorers -> models."""
    own = {name.split(".")[1] for name in imports(path) if name.startswith("scoring.")}
    if path.stem == "settings":
        assert own <= {"errors", "registry"}  # whose settings are a part of all
    elif layer(path) not in LAYERS:
        assert not own, "a helper that imports nothing of ours, or a layer to be named above"
    else:
        above = LAYERS[: LAYERS.index(layer(path))]
        assert not own & set(above)
        assert "settings" not in own or layer(path) in {"server", "app", "registry"}


@pytest.mark.parametrize("path", sorted((SCORING / "models").glob("*.py")), ids=title)
def test_a_model_is_made_of_plain_parts(path: Path) -> None:
    """A model file knows the record and what a model is, nothing of files or estimators."""
    assert packages(path) <= {"scoring", "pydantic"}
    own = {name.rpartition(".")[0] for name in imports(path) if name.startswith("scoring")}
    assert own <= {"scoring.models", "scoring.record"}


@pytest.mark.parametrize("path", EVERY, ids=title)
def test_a_file_is_short_and_says_what_it_is(path: Path) -> None:
    """At most 300 lines, and a docstring at the top."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", EVERY, ids=title)
def test_what_is_public_says_what_it_does(path: Path) -> None:
    """Public classes and functions of a module have a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [node for node in tree.body if isinstance(node, kinds) and node.name[0] != "_"]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
