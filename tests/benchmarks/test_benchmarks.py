"""The benchmarks: that they run, count errors as errors, and that the README says what they found.
No time is asserted here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import count, report, search, servers
from benchmarks.load import Address, BadAnswer, parsed, threads
from benchmarks.servers import agrees
from tests.support import ROOT, Server, installed, is_running, wait_for

README = (ROOT / "README.md").read_text(encoding="utf-8")

SAID = """Running 1s test @ http://127.0.0.1:9696/predict
  1 threads and 32 connections
  Latency Distribution
     50%    1.16ms
     75%    1.30ms
     90%    1.47ms
     99%  980.00us
  26410 requests in 1.00s, 5.98MB read
Requests/sec:  26400.53
Transfer/sec:      5.98MB
"""


def test_wrks_figures_are_read() -> None:
    """Latencies in any unit are milliseconds."""
    found = parsed(SAID)
    assert (found.per_second, found.p50_ms, found.p99_ms) == (26400.53, 1.16, 0.98)


@pytest.mark.parametrize(
    "line",
    [
        "  Non-2xx or 3xx responses: 12\n",
        "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
        "  Socket errors: connect 0, read 0, write 0, timeout 7\n",
    ],
)
def test_an_error_is_no_figure(line: str) -> None:
    """However fast a server refuses."""
    with pytest.raises(BadAnswer, match=line.strip()):
        parsed(SAID.replace("Requests/sec", f"{line}Requests/sec"))


def test_a_ratio_of_trials_is_told_with_what_is_wanted() -> None:
    """The median of the rounds, and the least and the most."""
    assert search.verdict([5.0, 4.1, 3.0]) == (
        "4.1 times the trials a minute (3.0 to 5.0), reached 4"
    )
    assert search.verdict([2.0]).endswith("(2.0 to 2.0), BELOW 4")


def test_no_answer_is_no_figure() -> None:
    """Not a division by nothing later."""
    with pytest.raises(BadAnswer, match="no answer to any request"):
        parsed(SAID.replace("26400.53", "0.00"))


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ({"duration": 37.4}, True),
        ({"predictions": [37.4000001]}, True),
        ({"model_version": "3", "outputs": [{"shape": [1, 1], "data": [37.4]}]}, True),
        ({"duration": 37.5}, False),
        ({"duration": True}, False),
        ([], False),
        ("37.4", False),
    ],
)
def test_an_answer_is_right_by_its_number(answer: Any, right: bool) -> None:
    """Whatever another server puts around it."""
    assert agrees(answer, 37.4) is right


@pytest.mark.slow
def test_threads_take_the_place_of_wrk(server: Server) -> None:
    """They read every answer, and another status than 200 ends the run."""
    body = b'{"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}'
    found = threads(Address(server.port), "/predict/ride", body, 4, 0.3)
    assert found.per_second > 0
    assert 0 < found.p50_ms <= found.p99_ms
    with pytest.raises(BadAnswer, match="status 422"):
        threads(Address(server.port), "/predict/ride", b"{}", 2, 0.3)


@pytest.mark.long
@pytest.mark.slow
def test_a_quick_run_measures_all_kinds(models_dir: Path, tmp_path: Path) -> None:
    """It writes where, when and of what, and every figure; the README given gets the table."""
    installed("openssl")  # one of the servers speaks TLS
    readme, output = tmp_path / "README.md", tmp_path / "results.json"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    words = [sys.executable, "-m", "benchmarks", "--quick", "--models", str(models_dir)]
    words += ["--output", str(output), "--readme", str(readme)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert {"commit", "dirty", "machine", "cores", "libraries", "load", "date"} <= {*results}
    assert results["not_measured"] == {}
    single = {"start_s", "p50_1_ms", "per_second", "p99_32_ms", "memory_mb"}
    for name in ("this service, ride", "this service, churn", "FastAPI, pydantic, uvicorn, ride",
                 "this service, key, log and TLS, ride"):  # fmt: skip
        assert single <= {*results["found"][name]}, name
    made = report.ratios(results)
    assert "ride: requests/s with key, log and TLS, over without" in made
    assert "ride: requests/s, over the tutorial's" in made
    assert "1,000 records: rows/s, over the tutorial's, a record at a time" in made
    assert all(
        number > 0 for values in results["found"].values() for n in values.values() for number in n
    )
    assert "ride: requests/s, over the tutorial's" in done.stdout
    assert readme.read_text() == (
        f"before\n{report.BEGIN}\n{report.table(results)}\n{report.END}\nafter\n"
    )
    assert report.update(readme, results) is False


# hears no SIGTERM
DEAF = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
)
# answers, and leaves two such processes: one in its session, one in a session of its own
LEAVES = """
import http.server, subprocess, sys
port, pids, deaf = sys.argv[1:]
words = [sys.executable, "-c", deaf]
left = [subprocess.Popen(words, stdout=-1, start_new_session=own) for own in (False, True)]
for process in left:
    process.stdout.readline()
with open(pids, "w") as file:
    file.write(" ".join(str(process.pid) for process in left))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"1.5")
    log_message = lambda *_: None
http.server.HTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()
"""


@pytest.mark.slow
def test_nothing_that_a_server_has_started_is_left(tmp_path: Path) -> None:
    """Neither a worker that hears no signal nor one that went into a session of its own."""
    pids = tmp_path / "pids"
    command = (sys.executable, "-c", LEAVES, "{port}", str(pids), DEAF)
    server = servers.Server("leaves", command)
    with servers.running(server, b"{}", 1.5, cpus=os.sched_getaffinity(0), log=tmp_path / "log"):
        left = [int(pid) for pid in pids.read_text().split()]
        assert all(is_running(pid) for pid in left)
    assert len(left) == 2
    wait_for(lambda: not any(is_running(pid) for pid in left), "them to end")


def test_the_readmes_table_is_of_the_results() -> None:
    """Nobody types a figure."""
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    table = README.partition(report.BEGIN)[2].partition(report.END)[0]
    assert table.strip() == report.table(results)


def test_a_readme_without_a_place_is_refused(tmp_path: Path) -> None:
    """By name; it is left as it was."""
    readme = tmp_path / "README.md"
    readme.write_text("nothing")
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    with pytest.raises(SystemExit, match="has no place for the table"):
        report.update(readme, results)
    assert readme.read_text() == "nothing"


@pytest.mark.long
@pytest.mark.slow
def test_a_prediction_takes_no_more_instructions_than_it_did(tmp_path: Path) -> None:
    """From a body's bytes to the answer's. More? Make it less, or see docs/benchmarks.md."""
    installed("valgrind")
    if not (bounds := count.stored()):
        pytest.skip(f"no counts are stored for Python {count.python()}")
    found = count.count(tmp_path)
    assert {*found} == {*bounds}
    for name, number in found.items():
        assert number > 1000, name
        assert number <= bounds[name] * count.ALLOWED, name
