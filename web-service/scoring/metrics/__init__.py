"""What is counted, by all workers of one service, and how it is shown.

    store.py       rows of numbers in shared memory, one a process; how a row passes on
    board.py       a small document in the same memory: which versions there are
    layout.py      which number of a row is which series
    http.py        what is counted of a request
    buckets.py     where histograms of inputs and outputs are divided: by the training data
    places.py      where a row keeps what is counted of predictions
    meter.py       what is counted of a prediction by one version of one model
    collector.py   the sum over all rows, as prometheus_client's metrics
    recorder.py    `Metrics`, which joins them

prometheus_client shows the numbers; it does not keep them, since its way to do so over several
processes costs more than a prediction, and a file for every process that ever ran.
"""
