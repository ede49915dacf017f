"""Turning a fitted pair into a scorer file: data that is evaluated without scikit-learn.

compile.py     make the file of a fitted pair and prove that it answers as the pair does
as_data.py     read a pair that cannot be loaded here, and make its file
saved.py       make the file of a pair that cannot be loaded here, from what it holds
weights.py     read the weights of linear models, scalers before them included
ensembles.py   read the trees of trees, forests and boosting
calibrated.py  the estimator behind a calibration's sigmoid
encoders.py    read the numbers that stand for categories before trees
flatten.py     lay trees out as arrays of nodes
steps.py       work out the scores of common categories beforehand
"""
