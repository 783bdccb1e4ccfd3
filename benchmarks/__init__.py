"""Published sizes with random weights against a plain reference forward pass, in CPU seconds."""
