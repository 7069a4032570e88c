"""Training methods, one module each, listed in `robustmia.registry`."""
