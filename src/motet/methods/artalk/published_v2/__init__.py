"""The generator of the published training code (generation T)."""
