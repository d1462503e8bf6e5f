"""How anything is kept on disk: whole or not at all, the same bytes each time, with its origin."""
