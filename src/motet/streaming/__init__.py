"""Sliding-window decoding: samples received, features, windows, frames emitted."""
