"""Somebody who types what stands on a page, in a clone."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.support.processes import wait_for
from tests.support.servers import environment, free_port


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
