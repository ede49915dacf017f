"""From names of inputs to slices of rows.

files.py       names, patterns and folders -> `Source`s, in order, each with size and identity
parquet.py     a file's row groups, streamed
text.py        CSV and JSON lines: cut into blocks at ends of records
csv_block.py   a block of CSV -> columns
json_block.py  a block of JSON lines -> columns
cells.py       columns of text cells as columns of values
"""
