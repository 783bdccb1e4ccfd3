"""Linear probes: what acoustic features know about phones and lips."""
