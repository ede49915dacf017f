"""What tests of several rooms share: artifacts, servers, processes, programs, real data."""

from __future__ import annotations

from tests.support.artifacts import calibration, records, tiny_pair, write_artifact, write_pair
from tests.support.places import (
    DATA_DIR,
    ROOT,
    clean_tree,
    clone,
    model_of_the_guide,
    needs_real_data,
)
from tests.support.processes import children, command_lines, is_running, wait_for
from tests.support.programs import installed, skip_or_fail
from tests.support.servers import (
    GUNICORN,
    Launch,
    Server,
    environment,
    free_port,
    post,
    run_to_end,
    serving,
    stop,
)

__all__ = [
    "DATA_DIR",
    "GUNICORN",
    "ROOT",
    "Launch",
    "Server",
    "calibration",
    "children",
    "clean_tree",
    "clone",
    "command_lines",
    "environment",
    "free_port",
    "installed",
    "is_running",
    "model_of_the_guide",
    "needs_real_data",
    "post",
    "records",
    "run_to_end",
    "serving",
    "skip_or_fail",
    "stop",
    "tiny_pair",
    "wait_for",
    "write_artifact",
    "write_pair",
]
