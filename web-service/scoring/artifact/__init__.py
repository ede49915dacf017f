"""The artifact format, whole: a model's folder and everything that reads or writes it.

manifest.py      what `manifest.json` holds, and the recipe for a change of the format
facts.py         what whoever makes an artifact says of it, and the manifest made of that
folder.py        the folder in its place: replaced whole, found at any moment
reading.py       from a folder to an `Artifact`: digests first, then data or the allow-list
writing.py       from a fitted pair to a folder: proved, compiled, written
foreign.py       from a file that others saved to a pair
allow_list.py    which classes and functions a file may name
pickles.py       the pickle reader that keeps to the allow-list
"""
