"""Following a model registry: which version is asked for, and how it gets into every worker.

    registry --client--> version --locations--> files --prove--> cache --watcher--> every worker
      (one process, `follower`, talks to it)    (a process of its own)     (a thread in each)

The follower is the only one that talks to the registry. It downloads aside, has the version proved
by a process that may crash, puts it into the cache and only then names it in `current.json`. Each
worker watches that small file and changes its Predictor in one assignment. Nothing here imports
MLflow: it speaks REST.
"""
