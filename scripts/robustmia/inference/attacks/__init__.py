"""Attacks (strategies), listed in `robustmia.config.registry`: one module for each idea; what they have in common is in `base`."""
