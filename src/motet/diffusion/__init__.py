"""Diffusion: noise schedules, parameterisations, samplers, classifier-free guidance."""
