"""Diffusion as functions of tensors: schedules, parameterisations, samplers, guidance. Any trailing
shape, a seed for each item.
"""
