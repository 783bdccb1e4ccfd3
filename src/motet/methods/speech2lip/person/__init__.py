"""A person on disk: footage, mouth region, training set."""
