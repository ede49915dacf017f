"""What several watchers share, in one database: who may run, what came in, what was done."""
