"""Speed, latency and memory: every subject in a fresh process, with baselines.

`bench` returns a `BenchReport`; `machine` describes where it was measured, `measure` runs inside
the fresh process, `process` starts it and weighs it.
"""
