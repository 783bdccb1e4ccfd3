"""Figures that turn motion into surfaces: the contract (`rig`) and the shipped figure (`house`)."""
