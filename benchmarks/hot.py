"""The hot function, called a given number of times: from a request's body to its answer's bytes.

    python -m benchmarks.hot FOLDER ride=1000 churn=2000

benchmarks/count.py counts its instructions.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from scoring.limits import Limits
from scoring.models import discover
from scoring.predictor import Predictor
from serving.http.reply import reply


def main() -> None:
    """Answer each model's example as often as it says."""
    folder, *asked = sys.argv[1:]
    models = discover()
    limits = Limits(max_records=1)
    for name, calls in (word.split("=") for word in asked):
        predictor = Predictor.from_folder(Path(folder) / name, models[name])
        body = json.dumps(dict(models[name].example)).encode()
        gc.disable()  # when it runs depends on what was done before
        for _ in range(int(calls)):
            answer = reply(predictor, body, limits=limits)
        if answer.status != 200:  # how long an error takes is of no interest
            sys.exit(f"{name}: status {answer.status}")


if __name__ == "__main__":
    main()
