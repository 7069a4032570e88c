"""Membership inference against robustly trained classifiers (Song, Shokri and Mittal, CCS 2019)."""

__version__ = "0.2.0"
