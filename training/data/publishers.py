"""Where the data is published, and the checksums of the files that are known to this project."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.errors import DownloadError

TLC = "https://d37ci6vzurychx.cloudfront.net"
FIRST_MONTH = "2013-08"  # the first with green taxis


@dataclass(frozen=True)
class Published:
    """Where a file is published, and its checksum if this project knows it."""

    url: str
    sha256: str | None = None


# By the month, as of the files that the published results and the tests were made from.
_MONTHS = {
    "2021-01": "b8e2c9496c5eada0f10adbd88f98d91721ec6fe2787a2b355cf0ccfa9678ee7b",
    "2021-02": "fd43c7afa2002716c8afadfd57665ab9c9ad99be419570a9b0a08de15cbeb64e",
    "2021-03": "78847a2e0ccb58202eef3337903e696317656815f50423733ad3099dabc58a9d",
    "2022-01": "6a9efa68165ed2c52ec130cc9d8098b9e8a876f4316c17ddcbc170e46c45ad1d",
    "2023-01": "9f0e03dd7f8f94ecc15949cdbfd2a4e1fc9ebb41a11882215158c9fc95012e31",
    "2023-02": "bcc2821d639197cbb09aeb8994121a7004f2a6568a64bf4839015db802f62743",
    "2023-03": "69ab2c3b515ad1dd686a8ac3375370b8a44b003d95d340655d94828db0681d9d",
}

# By the name that each file gets in the folder: all that the tests and published results need.
FILES: dict[str, Published] = {
    **{
        f"green/green_tripdata_{month}.parquet": Published(
            f"{TLC}/trip-data/green_tripdata_{month}.parquet", sha256
        )
        for month, sha256 in _MONTHS.items()
    },
    "taxi_zone_lookup.csv": Published(
        f"{TLC}/misc/taxi_zone_lookup.csv",
        "598bfdd5170dcd8b9cfb5ec7f8dc283552e1b79cf0bcf3b7a0463fec1bfef115",
    ),
    "telco_customer_churn.csv": Published(
        "https://raw.githubusercontent.com/alexeygrigorev/mlbookcamp-code/master/"
        "chapter-03-churn-prediction/WA_Fn-UseC_-Telco-Customer-Churn.csv",
        "88be4b93fbe0cc83421af1c503794c97c342eca914c1576db7c276e61d61358a",
    ),
}


def default_folder() -> Path:
    """Return the folder of the published data: DATA_DIR, else `data` in the current folder."""
    return Path(os.environ.get("DATA_DIR") or "data")


def months(names: Sequence[str], base: str = TLC) -> dict[str, Published]:
    """Return the files of these months ("2021-01"), in order, by the name they get.

    Raises DownloadError for the first one of which there can be no file.
    """
    files = {}
    for month in names:
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
            raise DownloadError(f"{month!r} is not a month: write it like 2021-01")
        if not FIRST_MONTH <= month <= f"{datetime.now(UTC):%Y-%m}":
            raise DownloadError(
                f"{month}: there are green taxi trips from {FIRST_MONTH} until now only"
            )
        name = f"green_tripdata_{month}.parquet"
        url = f"{base.rstrip('/')}/trip-data/{name}"
        files[f"green/{name}"] = Published(url, _MONTHS.get(month))
    return files
