"""Reproducible music genre classification: one pipeline, seven models, one honest comparison."""

__version__ = "0.1.0"
