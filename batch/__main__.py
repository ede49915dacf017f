"""`python -m batch`."""

import ctypes
import sys
from types import ModuleType
from typing import Any

_MMAP_THRESHOLD = -3  # of `mallopt`, as in malloc.h
_LARGE = 4 << 20  # bytes


class _WithoutPandas:
    """pyarrow imports pandas, where it is installed, to see whether an array is one of its: a third
    of the time that a run takes to start. Nothing here is."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Raise ModuleNotFoundError for pandas; leave the others to whoever finds them."""
        if name == "pandas":
            raise ModuleNotFoundError("batch does without pandas", name=name)


def _without_help() -> None:
    """pyarrow reads the help texts of 280 functions at its import, and pydantic imports what looks
    for plugins in each package that is installed: a tenth of the time that a run takes to start."""
    made: Any = ModuleType("pyarrow.vendored.docscrape")
    made.NumpyDocString = lambda _: {"Parameters": []}
    loader: Any = ModuleType("pydantic.plugin._loader")
    loader.get_plugins = lambda: ()
    sys.modules |= {module.__name__: module for module in (made, loader)}


def _return_memory() -> None:
    """Have large arrays given back to the machine as soon as they are done with. Left to itself,
    glibc keeps them for each thread: a fifth of the memory of a run with a large forest."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not everywhere
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)


if __name__ == "__main__":
    _return_memory()
    _without_help()
    if not any("spark" in word for word in sys.argv):  # PySpark asks for it
        sys.meta_path.insert(0, _WithoutPandas)
    from batch.cli import main

    sys.exit(main())
