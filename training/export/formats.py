"""The formats by name: how each is written, judged, and how large a model it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.export.c_file import c_files
from training.export.databases import judge_duckdb, judge_postgres, judge_spark, judge_sqlite
from training.export.form import ExportError, Form
from training.export.judges import Judged, judge_c, judge_javascript, judge_python
from training.export.pmml_file import pmml_files
from training.export.pmml_judge import judge_pmml
from training.export.scripts import javascript_files, python_files
from training.export.sql_query import sql_files
from training.optional import needed_by

Judge = Callable[[Form, Path, Sequence[Mapping[str, Any]]], list[Judged]]


@dataclass(frozen=True)
class Format:
    """One format. `linear` and `trees` are how far a score may be from the service's, relative to
    it and absolutely."""

    name: str
    write: Callable[[Form], dict[str, bytes]]
    judge: Judge
    judged_by: str
    max_nodes: int
    linear: float
    trees: float
    refuses: bool = True  # what the service refuses; else it scores that

    def tolerance(self, form: Form) -> float:
        """Return how far a score of this model may be from the service's."""
        return self.linear if form.kind == "linear" else self.trees

    def files(self, form: Form) -> dict[str, bytes]:
        """Return the files by name; raise ExportError where the model is too large for it."""
        if form.nodes > self.max_nodes:
            raise ExportError(
                f"'{form.model.name}' has {form.nodes:,} nodes, and {self.name} holds at most "
                f"{self.max_nodes:,}: fewer or smaller trees (n_estimators, max_depth, "
                "max_leaf_nodes) would do"
            )
        return self.write(form)


def _onnx_files(form: Form) -> dict[str, bytes]:
    with needed_by("the format onnx"):
        from training.export.onnx_graph import onnx_files
    return onnx_files(form)


def _judge_onnx(form: Form, folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    from training.export.onnx_judge import judge_onnx

    return judge_onnx(form, folder, records)


FORMATS: Final = {
    one.name: one
    for one in (
        Format("python", python_files, judge_python, "CPython", 1_000_000, 1e-12, 1e-6),
        Format("javascript", javascript_files, judge_javascript, "Node", 1_000_000, 1e-12, 1e-6),
        Format("c", c_files, judge_c, "gcc", 500_000, 1e-12, 1e-6),
        Format("onnx", _onnx_files, _judge_onnx, "ONNX Runtime", 4_000_000, 1e-12, 1e-6),
        Format("pmml", pmml_files, judge_pmml, "PMML4S", 200_000, 1e-9, 1e-6),
        Format("sql-duckdb", sql_files("duckdb"), judge_duckdb, "DuckDB", 20_000, 1e-9, 1e-6),
        Format(
            "sql-postgres", sql_files("postgres"), judge_postgres, "PostgreSQL", 20_000, 1e-9, 1e-6
        ),
        Format("sql-sqlite", sql_files("sqlite"), judge_sqlite, "SQLite", 20_000, 1e-9, 1e-6),
        Format("sql-spark", sql_files("spark"), judge_spark, "Spark", 20_000, 1e-9, 1e-6),
    )
}
