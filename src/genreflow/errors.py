"""The base of all errors that are the user's to mend; any other exception is a bug."""

from __future__ import annotations


class GenreflowError(Exception):
    """An error whose message says what is wrong, where, what was expected and what to do.

    The command line and the workflow's jobs print the message alone. What isn't derived from this
    class keeps its traceback.
    """
