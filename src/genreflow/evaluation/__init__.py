"""Votes, metrics, intervals and tests: from window probabilities to numbers one can trust."""
