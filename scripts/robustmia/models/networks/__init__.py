"""Networks, one module each, listed in `robustmia.config.registry`; what they have in common is in `base` and `layers`."""
