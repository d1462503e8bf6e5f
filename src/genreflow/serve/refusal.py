"""What is said of a file that isn't judged."""

from __future__ import annotations


class RefusedError(Exception):
    """A file isn't judged; the message says why, `status` is what HTTP calls it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)  # both, so that it travels from process to process
        self.reason = reason
        self.status = status
