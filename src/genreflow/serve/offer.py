"""Which models the page offers, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genreflow import registry
from genreflow.models.metadata import read_metadata
from genreflow.prediction.load import RELEASES, find
from genreflow.prediction.release import INDEX, RELEASE, read_index, read_release


@dataclass(frozen=True)
class Offered:
    """A model that the page offers.

    Attributes
    ----------
    name
        As in requests.
    folder
        Where it lies.
    genres
        That it tells apart.
    title
        What it is, in words.
    accuracy, interval
        Share of test tracks that it got right, with the bounds of its 95 % interval; None where
        nobody measured it.
    tracks
        How many test tracks there were.
    outside_data
        What it was pre-trained on.
    """

    name: str
    folder: str
    genres: tuple[str, ...]
    title: str = ""
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    tracks: int | None = None
    outside_data: tuple[str, ...] = ()


def offered(models: Sequence[str]) -> list[Offered]:
    """Return what the page offers: the models named, or all releases, the best first.

    Raises
    ------
    genreflow.models.base.ModelFileError
        One of them isn't there, or there is none.
    """
    if not models:
        folder = find(RELEASES)
        index = read_index(folder)
        ranked = sorted(index.accuracy, key=lambda name: -index.accuracy[name])
        models = [str(folder / name) for name in (index.best, *ranked)]
    found = [_look_at(folder) for folder in dict.fromkeys(map(find, models))]
    names = [model.name for model in found]
    # Models of one name, from several runs, are called by their folders.
    return [m if names.count(m.name) == 1 else replace(m, name=m.folder) for m in found]


def _look_at(folder: Path) -> Offered:
    if (folder / INDEX).is_file():
        folder = folder / read_index(folder).best
    if (folder / RELEASE).is_file():
        release = read_release(folder)
        facts = release.evaluation
        low, high = facts.get("accuracy_low"), facts.get("accuracy_high")
        return Offered(
            name=release.name,
            folder=str(folder),
            genres=release.genres,
            title=_title(release.name),
            accuracy=facts.get("accuracy"),
            interval=None if low is None or high is None else (low, high),
            tracks=facts.get("n_tracks"),
            outside_data=release.outside_data,
        )
    signature = read_metadata(folder).signature
    return Offered(
        name=f"{signature.model}/{folder.name}",
        folder=str(folder),
        genres=signature.genres,
        title=_title(signature.model),
    )


def _title(name: str) -> str:
    return registry.MODELS[name].title if name in registry.MODELS else "weighted vote of models"
