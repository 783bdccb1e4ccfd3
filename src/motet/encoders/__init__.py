"""Sound to features at 50 Hz: what the methods hear with."""
