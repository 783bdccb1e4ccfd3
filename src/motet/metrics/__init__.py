"""Measures of motion: `METRICS`, `validate`, functions and `evaluate` in every module."""
