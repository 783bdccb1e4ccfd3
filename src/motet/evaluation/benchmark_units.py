"""Names of the published face benchmarks and the unit of their vertices; free of torch."""

UNITS = {
    "vocaset": "m",
    "biwi": "root of the face's area",
    "tfhp": "m",
}
