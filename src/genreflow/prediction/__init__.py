"""Genres of any audio, by a trained model or a release of one."""
