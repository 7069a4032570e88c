"""Data sets, one module each, listed in `robustmia.registry`; their common form (`records`); and the split."""
