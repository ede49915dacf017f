"""The page for those who come from the course works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import ROOT, clone
from tests.support.reader import Reader

PAGE = (ROOT / "docs" / "from-the-course.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.mark.long
@pytest.mark.slow
def test_a_pickle_of_the_course_is_served(tmp_path: Path) -> None:
    """Every block in order: the notebook, its adoption, both services, a month, a version."""
    reader = Reader(clone(tmp_path / "clone"))
    [notebook] = (text for kind, text in BLOCKS if kind == "python")
    (reader.folder / "notebook.py").write_text(notebook)
    taken, serve, ride, month, churn, registry = (text for kind, text in BLOCKS if kind == "sh")
    assert re.search(r"wrote models/ride: version \w{12}", reader.types(taken))
    with reader.serves(serve):
        assert re.search(r'"duration": ?\d+\.\d+,"model_version": ?"\w{12}"', reader.types(ride))
        assert re.search(r'"churn_probability":0\.\d+,"churn":(true|false)', reader.types(churn))
    assert "scored" in reader.types(month)
    assert "ride-duration: version 1 is the champion" in reader.types(registry)
