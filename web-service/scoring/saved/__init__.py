"""Models that others saved: from files of any shape to a pair, without running what they hold.

stand_ins.py    a pickle read as data: what it names and would make, and nothing of it made
arrays.py       numpy's arrays out of such data
containers.py   from paths to stand-ins: compressed files, joblib, MLflow's folders
skops_file.py   skops' files read as the same data
native.py       XGBoost's own files
shapes.py       the pairs in it: a tuple in any order, a Pipeline, dictionaries, two files
views.py        a stand-in with the attributes of what it stands for, for the compiler
repickle.py     a chosen pair as a pickle of its own, for the allow-list

For `training.adopt` and the registry alike. A service that serves compiled models imports none
of it.
"""
