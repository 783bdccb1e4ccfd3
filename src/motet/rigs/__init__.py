"""Figures that turn motion into surfaces. `motet.rigs.rig` states the contract, `motet.rigs.house`
is the figure that ships.
"""
