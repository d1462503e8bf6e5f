"""A page on this machine: drop a file, see its genres, and hear where they are."""
