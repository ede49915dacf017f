"""From new data to a better model that serves: `python -m pipeline run MODEL`.

    cli -> run -> ingest -> check -> train -> gate -> register -> promote
                  each a function from files to files, done once for its key: steps
                  runs/MODEL/: what ran, with what, and why, as JSON: records

What is done is found by the digest of inputs, code and parameters, so that a run that was killed
goes on where it was, and a finished one is not done again.
"""
