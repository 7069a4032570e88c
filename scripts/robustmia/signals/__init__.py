"""Signals, one module each, listed in `robustmia.registry`; what they are (`base`); and the model they are asked of (`target`)."""
