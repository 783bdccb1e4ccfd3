"""One folder per method, the same files in each; methods never import one another."""
