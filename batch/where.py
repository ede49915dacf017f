"""`--where 'column op value'`: which rows are scored at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.columns.fields import Array
from batch.errors import UsageError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

_TEXT: Final = re.compile(r"\s*(?P<column>.+?)\s*(?P<op><=|>=|!=|==|=|<|>)\s*(?P<value>.*?)\s*")
_COMPARE: Final = {
    "=": pc.equal, "==": pc.equal, "!=": pc.not_equal,
    "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal,
}  # fmt: skip


class Condition(NamedTuple):
    """A column, a comparison and what it is compared with, as a text."""

    column: str
    op: str
    value: str

    def rows(self, batch: pa.RecordBatch) -> Array:
        """Return the places of the rows that fulfil it; a missing value never does."""
        column = batch.column(self.column)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        truth = _COMPARE[self.op](column, self._scalar(column.type)).fill_null(False)
        return np.flatnonzero(truth.to_numpy(zero_copy_only=False))

    def expression(self, schema: pa.Schema) -> ds.Expression | None:
        """Return it for Parquet's statistics; None where the file has no such column itself."""
        if self.column not in schema.names:
            return None
        found: ds.Expression = _COMPARE[self.op](
            pc.field(self.column), self._scalar(schema.field(self.column).type)
        )
        return found

    def _scalar(self, kind: pa.DataType) -> pa.Scalar:
        try:
            text: Any = pa.scalar(self.value)
            return text.cast(kind)
        except (pa.ArrowException, ValueError) as error:
            raise UsageError(
                f"--where compares '{self.column}' with {self.value!r}, which is no {kind}"
            ) from error


def condition(text: str) -> Condition:
    """Return what `--where` says; raises UsageError where it cannot be read."""
    match = _TEXT.fullmatch(text)
    if not match:
        raise UsageError(f"--where takes 'COLUMN OP VALUE' (trip_distance > 2), not {text!r}")
    column, value = match["column"].strip("'\""), match["value"].strip("'\"")
    return Condition(column, match["op"], value)
