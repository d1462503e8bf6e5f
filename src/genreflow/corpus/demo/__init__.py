"""The demo corpus: a small band that plays ten genres."""
