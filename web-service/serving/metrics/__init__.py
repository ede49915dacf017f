"""What the service counts, over all its workers, and how Prometheus gets it.

http.py         count requests
recorder.py     `Metrics`, which joins the counters of requests and of predictions
route.py        GET /metrics
exporter.py     the same on a port of its own, by a process beside the workers
"""
