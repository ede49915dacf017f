"""Say whether a model is still good: `python -m monitoring`.

Its commands are profile, labels, report, watch, score and who.

    logs -> reading (blocks of columns) -> hours (profiles) -> store (SQL)
    store -> windows (what to compare) -> drift, quality, performance -> report -> pages

The store keeps counts by hour and version, and of each prediction its id, score and segments, so
that raw logs may go and truth may come late.
"""
