"""What asks for a run: the clock, the data, monitoring, a webhook, somebody."""
