"""Where things are: the project, a clean copy of it, and the published data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from training.data.publishers import default_folder

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / default_folder()  # filled by `make data`


def model_of_the_guide() -> str:
    """Return the model file that docs/models.md begins with: `tip.py`."""
    guide = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    [code, *_] = re.findall(r"^```python\n(.*?)^```", guide, flags=re.M | re.S)
    return str(code)


def needs_real_data(*names: str) -> pytest.MarkDecorator:
    """Mark a test that reads these files of DATA_DIR; it is skipped where one is missing."""
    missing = [name for name in names if not (DATA_DIR / name).is_file()]
    reason = f"not in {DATA_DIR}: {', '.join(missing)}; `make data` downloads the published data"
    return pytest.mark.skipif(bool(missing), reason=reason)


def clone(folder: Path) -> Path:
    """Copy the project to `folder`, as a clone in which `make setup` has made this environment.

    make takes it as it is, whatever was locked since."""
    clean_tree(folder)
    (folder / Path(sys.prefix).name).symlink_to(Path(sys.prefix))
    for name in ("Pipfile.lock", "web-service/pyproject.toml"):
        os.utime(folder / name, (0, 0))
    return folder


def clean_tree(folder: Path) -> Path:
    """Copy what git tracks, or would, to `folder`: no local model, cache or secret is in it.

    Files keep their times, which `make` compares."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # a deleted one is listed until it is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
