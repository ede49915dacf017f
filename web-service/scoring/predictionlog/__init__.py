"""Each prediction with its features, for monitoring and audits: off unless PREDICTION_LOG is set.

line.py    what a line holds: docs/prediction-log.md is its description
files.py   a file that several processes append whole lines to, and that is kept small
log.py     `PredictionLog`: from a request to the file, by a thread and a bounded line before it
"""
