"""Data sets, one module each, listed in `robustmia.config.registry`; their common form (`records`); and the split."""
