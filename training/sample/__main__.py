"""``python -m training.sample [--output DIR]``: makes both files of the sample again."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from training.sample import CUSTOMERS, TRIPS
from training.sample.customers import customers
from training.sample.trips import trips


def main(argv: list[str] | None = None) -> None:
    """Writes both files into the folder named, or where they are shipped, and says so."""
    parser = argparse.ArgumentParser(prog="python -m training.sample", description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=TRIPS.parent,
        metavar="DIR",
        help="the folder to write to, made if it is not there (default: beside the code)",
    )
    folder = parser.parse_args(argv).output
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / TRIPS.name, trips(), _as_parquet)
    _write(folder / CUSTOMERS.name, customers(), _as_csv)


def _as_parquet(table: pd.DataFrame, path: Path) -> None:
    """Parquet in the TLC's own types: pandas alone would write its text as ``large_string``."""
    schema = pa.Schema.from_pandas(table, preserve_index=False)
    flag = schema.get_field_index("store_and_fwd_flag")
    schema = schema.set(flag, schema.field(flag).with_type(pa.string()))
    table.to_parquet(path, compression="zstd", index=False, schema=schema)


def _as_csv(table: pd.DataFrame, path: Path) -> None:
    """CSV with the numbers as IBM writes them: 70, not 70.0."""
    table.to_csv(path, index=False, float_format="%.12g", lineterminator="\n")


def _write(path: Path, table: pd.DataFrame, write: Callable[[pd.DataFrame, Path], None]) -> None:
    """Writes aside, then renames: whoever reads meanwhile gets the old file or the new, whole."""
    aside = path.with_name(f".{path.name}.partial")
    write(table, aside)
    aside.replace(path)
    print(f"{path}: {len(table):,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
