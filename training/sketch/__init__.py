"""A model file for a model that nobody has described yet: guessed, written, and said.

names.py      from a column's name to the name of a field
model_file.py the parts of a model file, and its text
columns.py    guesses from one column of a table
table.py      a model of a table: `python -m training.new`
vectorizer.py a model of a saved DictVectorizer: `python -m training.adopt` of an unknown name
"""
