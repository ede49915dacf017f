"""A standalone cluster on this machine: a master and two workers, from the pyspark package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.batch.spark.support import bare_python
from tests.support import ROOT, command_lines, free_port, installed, skip_or_fail, wait_for
from tests.support.containers import alone

_TARGET = Path(f"{sys.prefix}-spark")  # the Makefile's: the same Python's, with pyspark


@pytest.fixture(scope="session")
def spark_home() -> Path:
    """The folder of the pyspark package, made once in continuous integration."""
    installed("java", package="default-jre-headless")
    target = f"{_TARGET.name}/.ready"
    if os.environ.get("CI") == "true":
        with alone(Path(sys.prefix) / "spark.lock"):
            words = ["make", "--no-print-directory", target, f"PYTHON={_python()}"]
            made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if made.returncode:
            skip_or_fail(f"pyspark cannot be installed: {made.stderr[-500:]}")
    if not (_TARGET / ".ready").exists():
        skip_or_fail(f"pyspark (456 MB) is not installed: make {target}")
    [home] = _TARGET.glob("lib/python3*/site-packages/pyspark")
    return home


def _python() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


class Cluster:
    """Its processes, and how a driver reaches it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.port = free_port()
        self.master = f"spark://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.drivers: list[subprocess.Popen[str]] = []
        for name in ("pyspark", "py4j"):  # the driver has these of it, and its own of the others
            (folder / "packages").mkdir(exist_ok=True)
            (folder / "packages" / name).symlink_to(home.parent / name)
        python = bare_python(folder / "bare", home.parents[3] / "bin" / "python")
        conf = folder / "conf"
        conf.mkdir()
        (conf / "spark-defaults.conf").write_text(
            "spark.ui.enabled false\nspark.ui.showConsoleProgress false\n"
            "spark.executor.memory 512m\nspark.driver.memory 512m\n"
            "spark.driver.host 127.0.0.1\nspark.driver.bindAddress 127.0.0.1\n"
            "spark.speculation true\nspark.speculation.multiplier 1.1\n"
            "spark.speculation.quantile 0.1\nspark.speculation.interval 20ms\n"
            "spark.speculation.minTaskRuntime 10ms\n"
        )
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "packages"),
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(conf),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        words = ("master.Master", "-h", "127.0.0.1", "-p", str(self.port), "--webui-port", "0")
        self._start("master", "I have been elected leader", *words)
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of one core and wait until the master knows it."""
        name = f"worker-{len(self.processes)}"
        words = ("worker.Worker", "-h", "127.0.0.1", "-c", "1", "-m", "1g", "--webui-port", "0",
                 "-d", str(self.folder / name), self.master)  # fmt: skip
        return self._start(name, "Successfully registered with master", *words)

    def _start(self, name: str, said: str, kind: str, *words: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"{name}.log"
        program = self.home / "bin" / "spark-class"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [program, f"org.apache.spark.deploy.{kind}", *words],
                env=self.environment, cwd=self.folder, stdout=file, stderr=file,
            )  # fmt: skip
        self.processes.append(process)
        wait_for(lambda: said in log.read_text(), f"{name}: {said}", timeout_s=120)
        return process

    def run(self, models_dir: Path, *words: str | Path, **environ: str) -> subprocess.Popen[str]:
        """Start `python -m batch` with Spark on the cluster, in the working folder. The cluster
        knows nothing of `environ`."""
        path = f"{self.environment['PYTHONPATH']}:{ROOT}"
        driver = subprocess.Popen(
            [sys.executable, "-m", "batch", *map(str, words), "--engine", "spark",
             "--master", self.master],
            env={**self.environment, **environ, "MODELS_DIR": str(models_dir), "PYTHONPATH": path},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.drivers.append(driver)
        return driver

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a worker with its executors and their Pythons, as a machine's power cut does."""
        for pid in [process.pid, *command_lines(process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()

    def close(self) -> None:
        """End every process."""
        for process in reversed(self.processes):
            if process.poll() is None:
                self.kill(process)


@pytest.fixture(scope="session")
def _one(spark_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(spark_home, tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture
def cluster(_one: Cluster) -> Iterator[Cluster]:
    """One cluster for all tests of a process, with no driver of a test before: it would keep the
    executors."""
    yield _one
    for driver in _one.drivers:
        if driver.poll() is None:
            driver.kill()
            driver.communicate()
    _one.drivers.clear()


@pytest.fixture
def spark(cluster: Cluster, models_dir: Path) -> Callable[..., tuple[int, str, str]]:
    """Run `batch` on the cluster to its end and return status, output and errors."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        process = cluster.run(models_dir, *words)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return run
