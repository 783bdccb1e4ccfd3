"""Everyday sounds made from nothing: 27 classes, seeded, with the moments at which something
happens in them.
"""
