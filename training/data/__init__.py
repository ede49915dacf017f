"""From published files to checked and split rows: download, tables, checks, split, profile."""
