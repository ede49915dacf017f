"""The MLflow registry: which version is asked for, and how it gets into every worker.

    settings.py           the registry's settings
    client.py             the registry's REST interface
    stores.py             where a version's files lie: MLflow server, folder, S3
    cache.py              versions on disk, and which of them serves
    download.py           from a store to the cache
    validation.py         start validate.py, which may crash, and read its verdict
    validate.py           validate a version, in a process of its own
    logged.py             what others logged, without a manifest
    poller.py             poll, download, name what serves: one process for all workers
    reloader.py           load what the poller has named, in each worker
    resolve.py            the same for a command, once, without a service
    fetching.py           what `resolve` asks a registry for

The poller alone talks to the registry for a service. It has a version validated before it names it
in `current.json`; each worker watches that small file and replaces its Predictor in one assignment.
Nothing here imports MLflow.
"""
