"""Other people's forms of a request, translated to the values that our own reader takes, and our
answers to theirs. Pure: JSON values or bytes in, JSON values out; what a record may hold is decided
behind this, in `scoring/record.py`."""
