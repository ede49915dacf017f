"""The tutorial works as it stands: every step in order, in a clone, with the files it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import ROOT, clone
from tests.support.reader import Reader

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.M | re.S)
SERVE = "MODELS=bike make run\n"


@pytest.mark.long
def test_a_reader_gets_from_a_table_to_a_registered_model(tmp_path: Path) -> None:
    """Step by step; what the page promises of the output is there."""
    reader = Reader(clone(tmp_path / "clone"))
    steps = [text for kind, text in BLOCKS if kind == "sh"]
    made, changed = (text for kind, text in BLOCKS if kind == "python")
    (reader.folder / "make_bikes.py").write_text(made)
    before = steps.index(SERVE)
    said = ""
    for number, step in enumerate(steps[:before]):
        said += reader.types(step)
        if "training.new" in step:
            model = reader.folder / "mine" / "code" / "bike.py"
            code = model.read_text()
            model.write_text(
                re.sub(r"^def answer\(.*?\n\n\n", f"{changed}\n\n", code, flags=re.M | re.S)
            )
            assert "max(score, 0.5)" in model.read_text(), number
    assert "trip_id: left out, it looks like an id: each row has another" in said
    with reader.serves(SERVE):
        answered, refused = steps[before + 1 : before + 3]
        assert re.search(r'"minutes": ?\d+\.\d+', reader.types(answered))
        problem = reader.types(refused)
    for words in (
        "one of 'harbour'",
        "got the key 'kilometers': was 'kilometres' meant",
        "true or false",
    ):
        assert words in problem
    scored, counted, *registered = steps[before + 3 :]
    assert "scored    2,000" in reader.types(scored)
    assert "2000 predictions from" in reader.types(counted)
    said = "".join(map(reader.types, registered))
    assert "promote bike 1 --data FILE" in said
    assert "champion" in said
