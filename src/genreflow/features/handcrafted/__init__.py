"""Handcrafted descriptors: `extract` computes them, `read` reads the tables."""
