"""Results that the current parameters don't have: other folds, models, shards and changes.

They are never deleted as a side effect: a fold may have cost an hour. Snakemake doesn't mind them,
since every job names its files. DVC records whole folders, so before it looks they are moved to
``results/aside``, and moved back as soon as the parameters ask for them again. :func:`remove` is
for the user who wants the space.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genreflow.corpus.scan import list_shards
from genreflow.folds import training_names
from genreflow.params import Params
from genreflow.registry import FEATURES, entry
from genreflow.registry.changes import FAMILIES
from genreflow.registry.entry import METADATA, PREDICTIONS, REFIT, RESUME
from genreflow.steps import kinds_in_use, takes_part

ASIDE = Path("aside")

_OF_AUDIO = (".arrow", ".parquet")


@dataclass(frozen=True)
class Wanted:
    """What the current parameters and the corpus ask for."""

    shards: Collection[str]
    trainings: Mapping[str, Collection[str]]
    """Of each model."""
    families: Collection[str] = ()
    """Of changes of test tracks."""
    features: Collection[str] = tuple(FEATURES)
    """Kinds."""
    fingerprints: bool = True
    """Whether they are compared."""

    @classmethod
    def by(cls, params: Params, genres: Collection[str]) -> Wanted:
        """Return what `params` ask for when the corpus has `genres`."""
        return cls(
            list_shards(sorted(genres), params.corpus.shards_per_genre),
            {
                model: training_names(params.splits, params.at(entry(model).section).seeds)
                for model in params.evaluation.models
            },
            params.robustness.families,
            [kind.name for kind in kinds_in_use(params)],
            takes_part("fingerprints", params),
        )

    def asks_for(self, path: Path) -> bool | None:
        """Tell whether `path`, relative to the results, is asked for; None if no job makes it."""
        match path.parts:
            case ("audio", _) if path.suffix in _OF_AUDIO:
                return path.stem in self.shards
            case ("fingerprints", _) if path.suffix == ".arrow":
                return self.fingerprints and path.stem in self.shards
            case ("features", kind, _) if kind in FEATURES and path.suffix == FEATURES[kind].suffix:
                return kind in self.features and path.stem in self.shards
            case ("models", model, training) if _is_training(training):
                return training in self.trainings.get(model, ())
            case ("changed", _) if path.stem in FAMILIES and path.suffix == ".parquet":
                return path.stem in self.families
            case ("robustness", _) if path.suffix == ".parquet":
                return path.stem in self.trainings
            case (folder, model) if folder == REFIT:
                return model in self.trainings
        return None


def find(results: Path, wanted: Wanted) -> list[Path]:
    """List what lies below `results` without being asked for, relative to it, and sorted."""
    return sorted(path for path in _managed(results) if wanted.asks_for(path) is False)


def _managed(results: Path) -> Iterator[Path]:
    """Yield what jobs make that cost time: shards of any kind, trained folds, changes."""
    features = (f"features/{kind}" for kind in FEATURES)
    for folder in ("audio", "fingerprints", *features, "changed", "robustness"):
        for path in (results / folder).glob("*"):
            if not path.name.startswith("."):
                yield path.relative_to(results)
    for metadata in (results / REFIT).glob(f"*/{METADATA}"):
        yield metadata.parent.relative_to(results)
    for metadata in (results / "models").glob(f"*/*/{METADATA}"):
        training = metadata.parent
        if not training.parent.is_symlink():  # what a user has linked there is the user's
            yield training.relative_to(results)


def set_aside(results: Path, wanted: Wanted) -> list[Path]:
    """Move what isn't asked for to ``results/aside``; return what was moved."""
    found = find(results, wanted)
    for path in found:
        place = _free(results / ASIDE / path)
        place.parent.mkdir(parents=True, exist_ok=True)
        (results / path).rename(place)
    _remove_empty(results / "models")
    return found


def bring_back(results: Path, wanted: Wanted) -> list[Path]:
    """Move back what was set aside and is asked for again; return what was moved."""
    aside = results / ASIDE
    moved = []
    for path in sorted(_managed(aside)):
        if wanted.asks_for(path) and not (results / path).exists():
            (results / path.parent).mkdir(parents=True, exist_ok=True)
            (aside / path).rename(results / path)
            moved.append(path)
    _remove_empty(aside)
    return moved


def put_aside(results: Path) -> list[Path]:
    """List what lies aside, relative to `results`, and sorted."""
    return sorted(ASIDE / path for path in _managed(results / ASIDE))


def unfinished(results: Path, wanted: Wanted) -> list[Path]:
    """List the states of killed trainings that won't go on, relative to `results`, and sorted.

    They are not asked for any more, or were made elsewhere in the meantime.
    """
    found = []
    for path in (results / RESUME).glob("*/*"):
        model, training = path.parts[-2:]
        if not _is_training(training):
            continue
        made = (results / "models" / model / training / PREDICTIONS).exists()
        if made or training not in wanted.trainings.get(model, ()):
            found.append(path.relative_to(results))
    return sorted(found)


def to_remove(results: Path, wanted: Wanted) -> list[Path]:
    """List all that nobody asks for, relative to `results`."""
    return [*find(results, wanted), *put_aside(results), *unfinished(results, wanted)]


def remove(results: Path, wanted: Wanted) -> None:
    """Delete what :func:`to_remove` lists, and nothing else."""
    for path in to_remove(results, wanted):
        place = results / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
    for folder in ("models", ASIDE, RESUME):
        _remove_empty(results / folder)


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _is_training(name: str) -> bool:
    return name.replace(".", "").isdecimal()


def _remove_empty(folder: Path) -> None:
    """Remove the folders at and below `folder` that hold nothing."""
    for path in [*sorted(folder.rglob("*/"), reverse=True), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _free(path: Path) -> Path:
    """Return `path`, or the first of ``path~1``, ``path~2``, … that doesn't exist."""
    place, number = path, 0
    while place.exists():
        number += 1
        place = path.with_name(f"{path.name}~{number}")
    return place
