"""A pair out of stand-ins as a pickle of its own, with the very names and states that it was saved
with: the service's allow-list then decides on it as on any other."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from scoring.errors import ArtifactError
from scoring.saved.containers import Saved
from scoring.saved.shapes import Candidate
from scoring.saved.stand_ins import Name, StandIn


def repickle(value: Any) -> bytes:
    """Return a pickle of `value` in which each stand-in is what it stands for. Raises ArtifactError
    where it nests too deep."""
    file = io.BytesIO()
    try:
        _Writer(file, protocol=4).dump(value)
    except RecursionError as error:
        raise ArtifactError("the file nests objects too deep") from error
    return file.getvalue()


def pair_bytes(files: Sequence[Saved], chosen: Candidate) -> bytes:
    """Return the file, where it is a pickle of the pair and of nothing else; else a pickle of the
    pair."""
    pair = (chosen.vectorizer, chosen.estimator)
    [root], data = files[0].roots[:1], files[0].data
    alone = len(files) == 1 and isinstance(root, tuple | list) and len(root) == 2
    if alone and data is not None and root[0] is pair[0] and root[1] is pair[1]:
        return data
    return repickle(pair)


class _Writer(pickle._Pickler):
    memo: dict[int, Any]  # typeshed leaves it out

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        kept = isinstance(obj, Name | StandIn) and id(obj) not in self.memo
        if not kept:
            super().save(obj, save_persistent_id)  # type: ignore[misc]  # typeshed leaves it out
        elif isinstance(obj, Name):
            self._write(obj.module, obj.name, code=pickle.STACK_GLOBAL)
            self.memoize(obj)  # type: ignore[attr-defined]
        else:
            self._save_stand_in(obj)

    def _save_stand_in(self, made: StandIn) -> None:
        if made.options:
            self._write(made.of, made.args, made.options, code=pickle.NEWOBJ_EX)
        else:
            code = pickle.REDUCE if made.called else pickle.NEWOBJ
            self._write(made.of, made.args, code=code)
        if id(made) in self.memo:  # its own arguments hold it
            raise ArtifactError("the file holds an object that is made of itself")
        self.memoize(made)  # type: ignore[attr-defined]
        self._batch_appends(iter(made.items))  # type: ignore[attr-defined]
        self._batch_setitems(iter(made.pairs))  # type: ignore[attr-defined]
        if made.state is not None:
            self._write(made.state, code=pickle.BUILD)

    def _write(self, *parts: Any, code: bytes) -> None:
        for part in parts:
            self.save(part)
        self.write(code)  # type: ignore[attr-defined]
