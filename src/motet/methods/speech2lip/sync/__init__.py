"""Sync experts: networks that score the synchrony of mouth and audio."""
