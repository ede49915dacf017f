"""Score tables as requests are answered: `python -m batch MODEL INPUT... --output OUT`.

    cli -> run -> job -> inputs (slices) -> columns (answers) -> outputs (parts) -> report

`columns` scores Arrow columns as the service scores records. Everything is planned before the first
row is read, and a run is all or nothing: `outputs` writes aside and publishes at the end.
"""
