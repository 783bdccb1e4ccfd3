"""Face motion as stream operators and geometry: lips, closures, silence, post-processing."""
