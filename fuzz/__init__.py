"""Fuzzing: one harness for each thing that genreflow reads and that may come from anyone."""
