"""From checked rows to a fitted pair of DictVectorizer and estimator."""
