"""Methods measured on held-out recordings beside baselines; benchmarks of speed."""
