"""Models that others saved, as artifacts; `scoring.saved` finds the pair in a file.

boosters.py     XGBoost's models in a pair
lightgbm_text.py LightGBM's models, read without the package
as_data.py      a pair of another scikit-learn, read as its weights and nodes
views.py        a stand-in with the attributes of what it stands for, for the compiler
expectations.py answers that a person has, as the proof
measure.py      how good a model is on a table
take_in.py      from files to an artifact; unknown.py where there is no model file
"""
