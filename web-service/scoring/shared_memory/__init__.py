"""Counters that all processes of a service share: mechanism, which knows neither models nor HTTP.

    layout.py      declare series; each gets slots, numbers of a row
    store.py       rows of numbers in shared memory, one a process, and how a row passes on
    board.py       a small JSON document in the same memory
    collector.py   the sum over all rows, as prometheus_client's metrics

    layout = Layout()
    jobs = layout.counter("jobs", "Jobs done.")[()]
    store = Store(layout, rows=8)               # before the processes are forked
    with store.row.lock:                        # in any of them
        store.row.values[jobs] += 1
    Collector(store, layout).text()             # in any of them: Prometheus's text format

prometheus_client shows the numbers and does not keep them: its own way to do so over several
processes costs more than a prediction, and leaves a file for every process that ever ran.
"""
