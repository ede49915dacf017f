"""JSON and its values, and what a record's fields say of them: below the record, and without it."""
