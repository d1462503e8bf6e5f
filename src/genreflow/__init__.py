"""Reproducible music genre classification: one pipeline, seven models, one honest comparison."""

from importlib.metadata import version

__version__ = version("genreflow")
