"""The report: one self-contained page, tables for a paper, a card per model."""
