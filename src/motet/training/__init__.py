"""Training: one flat loop for every stage of every method."""
