"""Models that others saved, as artifacts; `scoring.saved` finds the pair in a file.

boosters.py     XGBoost's models in a pair
lightgbm_text.py LightGBM's models, read without the package
as_data.py      a pair of another library or scikit-learn, read as its weights and nodes
expectations.py answers that a person has, as the proof
measure.py      how good a model is on a table
take_in.py      from files to an artifact; unknown.py where there is no model file
"""
