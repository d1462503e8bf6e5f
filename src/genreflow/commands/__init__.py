"""The commands that hear files; each imports what it needs when it runs."""
