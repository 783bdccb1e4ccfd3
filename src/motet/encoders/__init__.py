"""Audio encoders behind one protocol (`base`), by name: `load_encoder`."""
