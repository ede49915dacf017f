"""The one file for `spark-submit --py-files dist/prediction-service-spark.zip`: its words are those
of `python -m batch`, with `--engine spark` understood."""

import sys

from batch.cli import main

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--engine", "spark"]))
