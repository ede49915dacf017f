"""The command line: options, the run, its summary and its exit status."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from batch import report
from batch.errors import BatchError
from batch.options import Options, parse
from batch.run import Nothing, run
from batch.settings import BatchSettings
from scoring.errors import SettingsError, StartError
from scoring.registry.errors import RegistryError

_log = logging.getLogger("batch")


def main(words: Sequence[str] | None = None) -> int:
    """Run what the words say and return the status of the process."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold addresses
    try:
        options = parse(words)
        settings = BatchSettings.from_env(os.environ)
    except (BatchError, SettingsError) as error:
        return _failed(error, 2)
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _STOPS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)  # held back by `bin/batch`
    done: dict[str, Any] | None = None
    try:
        done = run(options, settings, stop)
        status = 0
        sys.stdout.write(report.summary(done, options.output) + "\n")
    except Nothing as found:
        sys.stdout.write(f"{found}\n")
        return 0
    except BatchError as error:
        status = _failed(error, error.status)
    except SettingsError as error:
        status = _failed(error, 2)
    except (StartError, RegistryError, ArithmeticError) as error:
        status = _failed(error, 1)
    except OSError as error:
        what = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        status = _failed(f"{what}; what is done is kept, the same command goes on", 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _metrics(options, done, status)
    return status


_STOPS = (signal.SIGTERM, signal.SIGINT)


def _failed(error: object, status: int) -> int:
    sys.stderr.write(f"batch: {' '.join(str(error).split())}\n")
    return status


def _metrics(options: Options, done: dict[str, Any] | None, status: int) -> None:
    if options.metrics_file:
        try:
            report.write_metrics(options.metrics_file, done, options.model, status)
        except OSError as error:
            _log.error(
                "%s cannot be written: %s", options.metrics_file, error.strerror
            )  # a line, not a trace
