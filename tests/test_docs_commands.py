"""Every command on a page of docs/ is taken by its parser, or belongs to a test that runs it."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from flask.testing import FlaskClient

from streaming import replay
from tests.support import ROOT
from tests.test_help import parser_of

# What is no parser of ours, by how it begins, and the test that runs it. Of AWS, Kubernetes and
# systemd there is no engine here: those tests have their tools read what the commands are given.
RUN_BY = {
    "aws ": "tests/deploy/test_eb_cli.py",
    "cc ": "tests/training/export/test_formats.py",
    "curl -H ": "tests/serving/test_auth.py",
    "curl -s localhost:9696/feedback/": "tests/serving/routes/test_feedback.py",
    "curl -u ": "tests/serving/test_auth.py",
    "docker build": "tests/container/test_content.py",
    "docker compose": "tests/deploy/test_compose.py",
    "docker push": "tests/deploy/test_eb_cli.py",
    "docker run": "tests/container/test_content.py",
    "eb ": "tests/deploy/test_eb_cli.py",
    "export ": "tests/deploy/test_compose.py",
    "kubectl ": "tests/deploy/test_kubernetes.py",
    "pipx install awsebcli": "tests/deploy/test_eb_cli.py",
    "python -m serving.auth": "tests/serving/test_auth.py",
    "python examples/promote.py": "tests/examples/test_promote.py",
    "python exports/": "tests/training/export/test_formats.py",
    "python make_bikes.py": "tests/test_tutorial.py",
    "python notebook.py": "tests/test_from_the_course.py",
    "python train.py bike": "tests/test_tutorial.py",
    "python train.py tip": "tests/test_third_model.py",
    "python -m training.registry promote bike": "tests/test_tutorial.py",
    "python -m training.registry list bike": "tests/test_tutorial.py",
    "mkdir ": "tests/test_tutorial.py",
    "spark-submit ": "tests/batch/spark/test_cluster.py",
    "sudo ": "tests/deploy/test_pipeline_schedules.py",
}


def commands() -> list[tuple[str, str]]:
    """Return each command of a block of shell, with its page; what goes on in the next line, by a
    backslash or within quotes, is one command."""
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S):
            begun = ""
            for line in block.replace("\\\n", " ").splitlines():
                begun += line + "\n"
                if begun.replace('\\"', "").count("'") % 2 == 0:
                    found.append((page.name, re.sub(r"\s+#[^'\"]*$", "", begun).strip()))
                    begun = ""
    return [(page, command) for page, command in found if command]


COMMANDS = commands()
SHOWN = [f"{page}: {command}"[:90] for page, command in COMMANDS]


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """Return what `make help` lists."""
    words = ["make", "help"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  make (\S+)", listed, flags=re.M))


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=SHOWN)
def test_a_command_is_taken_or_run(
    page: str, command: str, targets: set[str], client: FlaskClient
) -> None:
    """A request is answered; by its own parser, with each option that it names; as a target of the
    Makefile; or elsewhere, by the test that the table above names."""
    if run_by := [path for begin, path in RUN_BY.items() if command.startswith(begin)]:
        assert (ROOT / run_by[0]).is_file()
        return
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words[0] == "curl":
        if page != "tutorial.md":  # whose model is not here: tests/test_tutorial.py
            [url] = [word for word in words if "localhost:9696" in word]
            body = words[words.index("-d") + 1]
            _, _, path = url.partition("localhost:9696")
            answer = client.post(path, data=body, content_type="application/json")
            assert answer.status_code == 200, answer.text
        return
    if words[0] == "make":
        assert words[1] in targets
        return
    if words[:4] == ["python", "-m", "streaming", "replay"]:
        assert replay.parse(words[4:])
        return
    length = 2 if words[1] == "train.py" else 3
    parser_of(" ".join(words[:length])).parse_args(words[length:])


def test_no_entry_of_the_table_is_of_yesterday() -> None:
    """Each begins a command that stands on a page."""
    for begin in RUN_BY:
        assert any(command.startswith(begin) for _, command in COMMANDS), begin
