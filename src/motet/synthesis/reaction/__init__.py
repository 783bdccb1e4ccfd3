"""Bodies that react to sounds: plans, steps with locked feet, arms and gaze."""
