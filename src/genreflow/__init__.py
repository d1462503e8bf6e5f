"""Reproducible music genre classification: one pipeline, many models, one honest comparison."""

__version__ = "0.1.0"
