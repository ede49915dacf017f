"""`make image` hands what it is told on to the Dockerfile."""

from __future__ import annotations

import re
import subprocess

from tests.support import ROOT


def command(*words: str) -> str:
    """Return what `make image` with these words would run."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "image", *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_every_argument_of_the_dockerfile_that_is_set_is_handed_on() -> None:
    """Those with which it builds another image; a model that is asked for is no less than asked."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    names = set(re.findall(r"^ARG ([A-Z0-9]+)=", dockerfile, re.MULTILINE))
    names -= {"REVISION", "VERSION"}  # which make sets itself, or the release does
    assert "MODELS" in names
    said = command(*(f"{name}=x,y" for name in names))
    assert set(re.findall(r'--build-arg ([A-Z0-9]+)="x,y"', said)) == names


def test_by_default_nothing_but_the_revision_is() -> None:
    """The Dockerfile's own defaults hold."""
    assert re.findall(r"--build-arg (\w+)", command()) == ["REVISION"]
