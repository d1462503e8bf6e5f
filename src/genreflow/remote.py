"""Results that are kept where no shared disk is: S3, another file system.

Snakemake carries every input and output of a job there and back by itself
(``--default-storage-provider``); docs/cluster.md says how. Here is what it takes beside the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, Protocol

from genreflow.errors import GenreflowError


class RemoteError(GenreflowError):
    """What was asked for can't be done where results are kept remotely."""


class _Folder(Protocol):
    """What is used of an object of the plugin."""

    _is_dir: bool | None

    def get_subkeys(self) -> Iterable[Any]: ...


def prepare(provider: str) -> None:
    """Get a storage plugin ready for what this workflow stores: folders, by jobs elsewhere.

    Parameters
    ----------
    provider
        As after ``--default-storage-provider``.
    """
    if provider == "s3":
        from snakemake_storage_plugin_s3 import StorageObject

        StorageObject.is_dir = _is_dir


def refuse_touch(provider: str) -> NoReturn:
    """Raise: what lies elsewhere has stamps, which nobody compares with the parameters.

    Raises
    ------
    RemoteError
        Always; old results would pass for those of new parameters.
    """
    raise RemoteError(
        f"--touch can't be used with --default-storage-provider {provider}: the stamps of what "
        "lies there aren't compared with the parameters. Run without --touch; or fetch the "
        "results, as docs/cluster.md says, and touch them here"
    )


def _is_dir(found: _Folder) -> bool:
    """Tell whether a folder lies in the bucket, asking anew for as long as it doesn't.

    The plugin (0.3.6) remembers that a folder isn't there. It looks before the job that makes it,
    and finds it missing when another machine has stored it.
    """
    if not found._is_dir:
        found._is_dir = any(True for _ in found.get_subkeys())
    return found._is_dir
