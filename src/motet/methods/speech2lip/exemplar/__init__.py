"""A mouth drawn from frames of the footage: chosen by shape, warped to the shape asked for."""
