"""How far the readings from the phonetic encoder's features (`opening.py`, `closing.py`) hear around a moment."""

STEPS_BEFORE, STEPS_AFTER, STRIDE = 8, 16, 2
"""Steps of 20 ms around one step, and every how many: 0.16 s back, 0.32 s ahead."""
REACH = tuple(range(-STEPS_BEFORE, STEPS_AFTER + 1, STRIDE))
