"""Data engines: speech to performances, sounds to reactions."""
