"""Measures of motion, one module a subject, all of one shape: conventions, `METRICS`, `validate`,
functions, `evaluate`.
"""
