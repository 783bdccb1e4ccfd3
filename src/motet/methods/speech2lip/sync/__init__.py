"""Sync experts: do mouth and sound belong together."""
