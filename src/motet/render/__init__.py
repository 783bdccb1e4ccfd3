"""Pictures of the figure on the CPU: refinement, light, visibility, shading."""
