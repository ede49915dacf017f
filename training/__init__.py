"""Trains models: what only training needs, and the service does not.

    sources, sample   how each model's published files are read; the bundled data
    data              download -> tables -> checks -> split, and the profile of what was used
    fit               features -> estimator -> a fitted pair
    search            parameters that are better than the default, by trying
    evaluation        metrics and plots on held-out rows, candidate against champion
    tracking          MLflow: runs and registered versions
    adoption          models that others saved: from files to a pair, without running them
    run               one training from files to a written artifact, out of these parts

    sketch            model files guessed from a table or from a saved vectorizer

Commands of their own: `adopt`, `data`, `new`, `published`, `registry`, `sample`.
"""
