"""A service and a mail server, and the example run against them."""

import csv
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.promotion import EXAMPLES, Mailbox, Run, Service, Start, finish


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    server = Mailbox()
    server.start()
    yield server
    server.go_on.set()
    server.stop()


@pytest.fixture
def nobody() -> Iterator[str]:
    """HOST:PORT where connections are refused: bound, so that it stays so, and not listened on."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unheard.getsockname()[1]}"


@pytest.fixture
def start(tmp_path: Path, service: Service, mailbox: Mailbox) -> Iterator[Start]:
    """Start the client on rows or on a file; its ledger is always the same one in tmp_path."""
    started = []

    def start(customers: list[dict[str, str]] | Path, *options: str) -> subprocess.Popen[str]:
        if isinstance(customers, list):
            rows, customers = customers, tmp_path / "customers.csv"
            with customers.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list({name: 0 for row in rows for name in row}))
                writer.writeheader()
                writer.writerows(rows)
        command = [sys.executable, str(EXAMPLES / "promote.py"), str(customers)]
        command += ["--url", service.url, "--smtp", mailbox.address]
        command += ["--ledger", str(tmp_path / "ledger.sqlite3"), *options]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start: Start) -> Run:
    """Run the client to its end."""
    return lambda *arguments: finish(start(*arguments))
