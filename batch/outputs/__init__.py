"""From answers to files that appear whole or not at all.

table.py    answers and the columns that are carried along -> a table, a part's bytes
storage.py  files of one folder, on this disk or in an object store
staging.py  parts aside, the ledger of what is done, and what is published at the end
lock.py     one run a place
"""
