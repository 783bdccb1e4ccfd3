"""Names of the published benchmarks and the unit of vertices of the face ones; free of torch."""

UNITS = {
    "vocaset": "m",
    "biwi": "root of the face's area",
    "tfhp": "m",
}
BENCHMARKS = (*UNITS, "sam")
"""Values of `motet eval --benchmark`: the face benchmarks, and the one of bodies."""
