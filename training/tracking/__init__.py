"""Training runs and registered versions in MLflow, and the names they get there."""
