"""Three questions: is every package pinned to its bytes, does our code hold a known mistake, has a
package of the image a known vulnerability?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from deploy.supplychain.lock import GROUPS, LOCK, LockError, requirements, unhashed

CODE: Final = (
    "web-service",
    "training",
    "train.py",
    "batch",
    "monitoring",
    "pipeline",
    "streaming",
)

CLEAN: Final = 0
FOUND: Final = 1
NOT_ASKED: Final = 2  # which is not the same as clean

_SHOWN: Final = 5


class Finding(NamedTuple):
    """The answer to one question: CLEAN, FOUND or NOT_ASKED, and what a person reads."""

    status: int
    text: str


def hashes(path: Path = LOCK) -> Finding:
    """Check that the lock pins every package to a version and its hashes."""
    try:
        found = unhashed(path)
    except LockError as error:
        return Finding(NOT_ASKED, str(error))
    if found:
        return Finding(FOUND, "\n".join([f"{path} has packages without hashes:", *found]))
    return Finding(CLEAN, f"{path}: every package has hashes")


def code(*paths: str) -> Finding:
    """Have bandit look for known mistakes in our code (or in `paths`)."""
    words = ["bandit", "-q", "-r", "-c", "pyproject.toml", *(paths or CODE)]
    done = _run(words)
    if done.returncode == 0:
        return Finding(CLEAN, f"bandit: nothing in {', '.join(paths or CODE)}")
    told = done.stdout.strip() or done.stderr.strip()[-2000:]
    return Finding(FOUND if done.returncode == 1 else NOT_ASKED, told)


def vulnerabilities(locked: str | None = None) -> Finding:
    """Ask PyPI for known vulnerabilities of the packages that an image can hold."""
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        file = Path(folder) / "requirements.txt"
        try:
            file.write_text(requirements(*GROUPS) if locked is None else locked, encoding="utf-8")
        except LockError as error:
            return Finding(NOT_ASKED, str(error))
        # hashed and complete as it is: pip need not resolve, download or build anything
        done = _run(
            ["pip_audit", "-r", str(file), "--disable-pip", "--no-deps",
             "--progress-spinner", "off", "--desc", "off", "--format", "json"]
        )  # fmt: skip
    return judge(done.stdout, done.stderr)


def judge(answer: str, complaint: str = "") -> Finding:
    """Return what pip-audit's JSON says.

    pip-audit succeeds and reports nothing where PyPI did not know a single package; here that
    counts as not asked.
    """
    try:
        asked = json.loads(answer)["dependencies"]
        skipped = [entry["name"] for entry in asked if "skip_reason" in entry]
        bad = [
            f"{entry['name']} {entry['version']}: {flaw['id']}, mended in "
            f"{', '.join(flaw['fix_versions']) or 'no version'}"
            for entry in asked
            for flaw in entry.get("vulns", ())
        ]
    except (ValueError, KeyError, TypeError):
        last = (complaint.strip().splitlines() or ["it said nothing"])[-1][:300]
        return Finding(NOT_ASKED, f"could not ask for known vulnerabilities: {last}")
    missed = f"{', '.join(skipped[:_SHOWN])}{', ...' if len(skipped) > _SHOWN else ''}"
    if bad:
        return Finding(FOUND, "\n".join(["known vulnerabilities:", *bad]))
    if skipped or not asked:
        return Finding(
            NOT_ASKED,
            f"could not ask for known vulnerabilities: no answer about {len(skipped)} of "
            f"{len(asked)} packages ({missed}); ask again where PyPI itself can be reached",
        )
    return Finding(CLEAN, f"pip-audit: no known vulnerability in {len(asked)} packages")


QUESTIONS: Final[tuple[Callable[[], Finding], ...]] = (hashes, code, vulnerabilities)


def audit(questions: tuple[Callable[[], Finding], ...] = QUESTIONS) -> int:
    """Ask all questions, print the answers, return the worst status: FOUND before NOT_ASKED."""
    statuses = set()
    for question in questions:
        status, text = question()
        statuses.add(status)
        print(text, file=sys.stderr if status else sys.stdout, flush=True)
    return FOUND if FOUND in statuses else max(statuses)


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
