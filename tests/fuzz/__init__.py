"""A seeded fuzzer that knows the formats: every reader of files from strangers gives a value or a
typed error, in bounded time and memory.

`python -m tests.fuzz --seconds 3600` searches; inputs that break a rule are kept in `corpus/`,
which `test_fuzz.py` replays in every test run.
"""
