r"""Score Arrow columns as the service scores records, to the bit, without a Python object a row.

    batch -> fields (one rule a field) -> features (one call a combination) -> scorer -> answers
               \-> rows that no rule is sure of -> the record's own function -> answers or problems

Nothing about a model is written here a second time: a field's rule is derived from the record, the
features come from calls of the model's own `features`, the answer's columns from calls of its
`answer`. What cannot be derived goes row by row through the predictor, as a request does.
"""
