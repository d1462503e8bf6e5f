"""What can't be exported."""

from __future__ import annotations

from genreflow.errors import GenreflowError


class ExportError(GenreflowError):
    """A model can't be exported; the message says why and what to do."""
