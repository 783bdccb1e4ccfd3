"""Motion as files of other programs know it, and solving for limbs."""
