"""What the service is compared with. MODEL names the model, PAIR the pickled pair's file."""
