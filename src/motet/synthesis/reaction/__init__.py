"""Bodies that react to what they hear: plans of reactions, steps with locked feet, arms and gaze
solved for their goals.
"""
