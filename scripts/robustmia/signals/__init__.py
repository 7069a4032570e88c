"""Signals, one module each, listed in `robustmia.config.registry`; what they have in common is in `base`, the model that they are
computed from in `target_model`.
"""
