"""Observers see every prediction after it was made.

observer.py         the protocol, and several observers as one

model_metrics.py    count predictions by model and version, in shared memory
series.py           the series that are counted
buckets.py          the bounds of histograms of inputs and outputs, from the training data
versions.py         which versions there are, and which part of a row counts for each
meter.py            count for one version
families.py         the same as prometheus_client's metrics

prediction_log.py   write each prediction with its record to a file, through a bounded queue
log_setup.py        the log that settings ask for
refusals.py         what of a refused request is counted and logged
log_lines.py        what a line holds: docs/prediction-log.md describes it
log_files.py        a file that several processes append whole lines to, kept to its size
"""
