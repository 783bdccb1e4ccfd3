"""From speech and timed phones to a performance: lips, head, lids, gaze and brows."""
