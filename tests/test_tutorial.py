"""The tutorial works as it stands: every step in order, in a clone, with the files it names."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support import ROOT, clone, environment, free_port, wait_for

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.M | re.S)
SERVE = "MODELS=bike make run\n"


class Reader:
    """Somebody at a shell of their own: what is exported stays."""

    def __init__(self, folder: Path) -> None:
        """Stand in `folder`, a clone, with its virtual environment."""
        self.folder = folder
        self.port = free_port()
        bin_ = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
        left = ("PYTEST_", "COV", "MAKE", "MFLAGS", "MODEL", "MLFLOW_")
        given = environment(PATH=bin_, PYTHONPATH=f"{folder / 'web-service'}{os.pathsep}{folder}")
        self.environ = {k: v for k, v in given.items() if not k.startswith(left)}
        self.environ |= {"PORT": str(self.port), "HOST": "127.0.0.1", "GRACEFUL_TIMEOUT": "2"}

    def types(self, text: str) -> str:
        """Run a block, and return what it prints; its exports are kept."""
        text = text.replace("localhost:9696", f"127.0.0.1:{self.port}")
        done = subprocess.run(
            ["bash", "-ec", f"{text}\nexport -p > exported"],
            cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        lines = (self.folder / "exported").read_text()
        exported = re.findall(r'^declare -x (MODEL_CODE|MODELS_DIR)="(.*)"$', lines, flags=re.M)
        self.environ |= dict(exported)
        return done.stdout

    @contextlib.contextmanager
    def serves(self, command: str) -> Iterator[None]:
        """Run a command that serves until it is stopped, and wait for its first answer."""
        with (self.folder / "served").open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"],
                cwd=self.folder, env=self.environ, stdout=out, stderr=out,
            )  # fmt: skip

        def answers() -> bool:
            assert process.poll() is None, (self.folder / "served").read_text()
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"http://127.0.0.1:{self.port}/ping", timeout=5).ok
            return False

        try:
            wait_for(answers, "an answer", 120)
            yield
        finally:
            process.terminate()
            process.wait(30)


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
