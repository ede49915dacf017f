"""What data looked like, in counts that can be added: of a training, or of an hour of predictions.

fields.py       which fields of a record are numbers, and which are categories
numbers.py      the distribution of a number, in cells that are the same for everybody
categories.py   how often each category came
bins.py         two distributions over the same bins, and how much they move from day to day
performance.py  how far predictions were off, by score and by segment
profile.py      all of that of a model: counted, added up, written and read

A profile holds counts and sums, never a row. It is made of columns, with numpy; the service itself
only compares the digest of the training's (`profile.json`).
"""
