"""Models that others saved: from files of any shape to a pair, without running what they hold.

stand_ins.py    a pickle read as data: what it names and would make, and nothing of it made
arrays.py       numpy's arrays out of such data
containers.py   from paths to stand-ins: compressed files, joblib, MLflow's folders
skops_file.py   skops' files read as the same data
shapes.py       the pairs in it: a tuple in any order, a Pipeline, dictionaries, two files
repickle.py     a chosen pair as a pickle of its own, for the service's allow-list
native.py       XGBoost's own files
boosters.py     XGBoost's models in a pair
lightgbm_text.py LightGBM's models, read without the package
as_data.py      a pair of another scikit-learn, read as its weights and nodes
views.py        a stand-in with the attributes of what it stands for, for the compiler
expectations.py answers that a person has, as the proof
measure.py      how good a model is on a table
take_in.py      from files to an artifact; unknown.py where there is no model file
"""
