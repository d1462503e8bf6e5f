"""Votes, metrics, intervals and tests: from window probabilities to numbers one can trust."""

from genreflow.evaluation.run import evaluate

__all__ = ["evaluate"]
