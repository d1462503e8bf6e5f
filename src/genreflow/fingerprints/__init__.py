"""Fingerprints: what of a track's sound tells whether two tracks are the same recording."""
