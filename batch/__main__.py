"""`python -m batch`."""

import sys


class _WithoutPandas:
    """pyarrow imports pandas, where it is installed, to see whether an array is one of its: a third
    of the time that a run takes to start. Nothing here is."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Raise ModuleNotFoundError for pandas; leave the others to whoever finds them."""
        if name == "pandas":
            raise ModuleNotFoundError("batch does without pandas", name=name)


if __name__ == "__main__":
    if not any("spark" in word for word in sys.argv):  # PySpark asks for it
        sys.meta_path.insert(0, _WithoutPandas)
    from batch.cli import main

    sys.exit(main())
