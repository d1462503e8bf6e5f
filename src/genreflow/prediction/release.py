"""What a release is: a folder that predicts alone, and says what it is and how good.

``release.json`` names the members (trained models in folders beside it), how their answers are
joined, and what vouches for it. ``index.json``, one folder up, names the one that is best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from genreflow.models.base import ModelFileError
from genreflow.models.reading import complaint
from genreflow.section import PositiveFloat
from genreflow.store.files import write_json

RELEASE, INDEX = "release.json", "index.json"
"""File of a release, and of a folder of releases."""
ENCODERS = "encoders"
"""Folder of a release that holds what embeddings are made with."""

_LARGEST = 1 << 20


@dataclass(frozen=True)
class Member:
    """A trained model of a release.

    Attributes
    ----------
    folder
        Below the release's, ``"."`` or a name.
    weight
        In the pool of all members.
    """

    folder: str
    weight: float = 1.0


@dataclass(frozen=True)
class Release:
    """What a release says of itself.

    Attributes
    ----------
    name
        Of the model, as in the report.
    genres
        In the order of the probabilities.
    members
        The models whose answers are joined.
    joined
        ``"alone"``: there is one; ``"pool"``: weighted logarithmic opinion pool.
    stretch_seconds
        Length of the longest track that it was trained on: what it hears at a time [s].
    temperature
        What the logarithms of the probabilities are divided by.
    trained_on
        What the members learnt from: ``"all tracks"``, or one fold.
    evaluation
        What vouches for it: how the same training did on tracks that it hadn't heard.
    outside_data
        What members were pre-trained on.
    versions
        Of genreflow and the libraries that it was made with.
    digests
        SHA-256 of its files, and of the audio of the corpus.
    """

    name: str
    genres: tuple[str, ...]
    members: tuple[Member, ...]
    joined: Literal["alone", "pool"] = "alone"
    stretch_seconds: PositiveFloat = 30.0
    temperature: PositiveFloat = 1.0
    trained_on: str = "all tracks"
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    outside_data: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    format: Literal[1] = 1


@dataclass(frozen=True)
class Index:
    """What a folder of releases holds.

    Attributes
    ----------
    best
        Name of the one that the report calls best.
    accuracy
        Track accuracy of each, by its name; the best first.
    """

    best: str
    accuracy: Mapping[str, float]
    format: Literal[1] = 1


_RELEASE, _INDEX = TypeAdapter(Release), TypeAdapter(Index)


def write_release(release: Release, folder: Path) -> None:
    """Write ``release.json``."""
    write_json(asdict(release), folder / RELEASE)


def write_index(index: Index, folder: Path) -> None:
    """Write ``index.json``."""
    write_json(asdict(index), folder / INDEX)


def read_release(folder: Path) -> Release:
    """Read ``release.json``.

    Raises
    ------
    ModelFileError
        It is damaged, of another version, or names a folder outside the release.
    """
    path = folder / RELEASE
    release: Release = _read(path, _RELEASE)
    if not release.members or len(set(release.genres)) < max(2, len(release.genres)):
        raise ModelFileError(f"{path}: names no member, or no genres; {_REMEDY}")
    for member in release.members:
        if member.folder != "." and Path(member.folder).name != member.folder:
            raise ModelFileError(
                f"{path}: names the folder {member.folder!r}, which isn't one of its own; {_REMEDY}"
            )
    return release


def read_index(folder: Path) -> Index:
    """Read ``index.json``.

    Raises
    ------
    ModelFileError
        It is damaged, or of another version.
    """
    index: Index = _read(folder / INDEX, _INDEX)
    return index


_REMEDY = "copy the release anew, or rerun `snakemake`, which makes it"


def _read(path: Path, schema: TypeAdapter[Any]) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST)
        return schema.validate_json(text)
    except OSError as error:
        raise ModelFileError(f"{path}: can't be read ({error.strerror}); {_REMEDY}") from None
    except ValidationError as error:
        raise ModelFileError(
            f"{path}: is damaged, or of another version ({complaint(error)}); {_REMEDY}"
        ) from None
