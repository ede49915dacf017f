"""Two ways on one warm Spark, `local[2]`: a `pandas_udf` over scikit-learn, as `spark_udf` of
MLflow does it, and `batch --engine spark`.

python spark_batch.py SOURCE FOLDER PAIR MODELS_DIR ROUNDS prints the seconds of each, in turns, and
those of Spark's start: the session, and a Python process for each of its cores.
"""

import os
import pickle
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

source, folder, pair, models = sys.argv[1:5]
rounds = int(sys.argv[5])
os.environ["MODELS_DIR"] = models
os.environ["PYSPARK_PYTHON"] = sys.executable
warnings.simplefilter("ignore")

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.functions import pandas_udf  # noqa: E402

from batch.cli import main  # noqa: E402

began = time.perf_counter()
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.memory", "2g")
    .config("spark.sql.execution.arrow.pyspark.enabled", "true")
    .getOrCreate()
)
spark.range(0, 2, 1, 2).mapInArrow(lambda batches: batches, "id long").collect()
print(f"figure start {time.perf_counter() - began}", flush=True)
sent = spark.sparkContext.broadcast(Path(pair).read_bytes())
loaded: dict[str, Any] = {}


@pandas_udf("double")
def duration(pu: pd.Series, do: pd.Series, distance: pd.Series) -> pd.Series:
    """Return the minutes of each ride."""
    vectorizer, estimator = loaded.setdefault("pair", pickle.loads(sent.value))
    rows = pd.DataFrame({"PU_DO": pu.astype(str) + "_" + do.astype(str), "trip_distance": distance})
    return pd.Series(estimator.predict(vectorizer.transform(rows.to_dict("records"))))


def theirs(number: int) -> None:
    """Score with the function, Parquet to Parquet."""
    frame = spark.read.parquet(source)
    fields = ("PULocationID", "DOLocationID", "trip_distance")
    made = frame.withColumn("duration", duration(*(frame[name] for name in fields)))
    made.write.parquet(f"{folder}/udf{number}")


def ours(number: int) -> None:
    """Score with the batch, in the session that is there."""
    out = f"{folder}/batch{number}"
    if main(["ride", source, "--output", out, "--engine", "spark", "--master", "local[2]"]):
        sys.exit("batch --engine spark failed")


for turn in range(rounds + 1):  # the first is to warm up
    for name, way in (("udf", theirs), ("batch", ours)):
        began = time.perf_counter()
        way(turn)
        if turn:
            print(f"figure {name} {time.perf_counter() - began}", flush=True)
spark.stop()
