"""Speech and timed phones to a performance in the house space: lips, head, lids, gaze and brows, by
style and seed.
"""
