"""Steps of baking the house figure from the CC0 MakeHuman data; used by `recipes/bake_figure.py`
only."""
