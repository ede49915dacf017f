"""Looks for an estimator and parameters that are better than the default: `train.py --search`.

settings    the options of a search
folds       rows -> folds by time or stratified -> features, made once, in files
evaluate    one trial: fitted on each fold, told when to stop
worker      a process that evaluates, and the processes of a search
journal     the trials in a file that outlives kill -9, by Optuna
choose      the smallest within one standard error, against the default
plots       history and importance, as files
run         all of it
"""
