"""The same run on a Spark cluster: its tasks read row groups and text files, and write the parts
that a run on one machine would write.

    engine.py    the driver: units of work to Spark, the ledger back
    units.py     what one task does: some row groups, or a text file
    executor.py  a task: a job from data alone, its units, their parts
    bundle.py    our packages as a zip for Python on an executor
    submit.py    the one file for spark-submit
"""
