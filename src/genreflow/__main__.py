"""``python -m genreflow``: the command line without an installed script."""

from genreflow.cli import app

app()
