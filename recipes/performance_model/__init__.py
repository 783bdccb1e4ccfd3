"""The fit of `src/motet/synthesis/performance/fitted.safetensors`."""
