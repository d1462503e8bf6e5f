"""What changed since another Git revision: its results beside those that are here."""
