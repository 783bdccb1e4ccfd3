"""How fast, how soon, how much memory: every subject in a fresh process, the baselines in the same
run.

`bench` answers a `BenchReport`; numbers are measured, never asserted. `machine` says where they
were taken, `measure` runs inside the fresh process, `process` starts and weighs it.
"""
