"""Embeddings of tracks by encoders that were trained on other data."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from genreflow.registry.entry import FeatureKind
from genreflow.section import Section, written_out

BUILT_IN = ("musicnn-msd", "vgg-msd", "musicnn-mtt", "vgg-mtt")
"""The taggers of Pons & Serra, which `make transfer` fetches."""
WEIGHTS = Path("data/encoders")
"""Where `make transfer` writes the weights of built-in encoders, ``<name>.npz``."""

ONNX, HUB, TABLE = "onnx", "hf", "table"
"""What stands before the colon of an encoder that users bring."""


def _known(encoder: str) -> str:
    prefix, colon, name = encoder.partition(":")
    if encoder in BUILT_IN:
        return encoder
    if prefix in (ONNX, HUB, TABLE) and colon and name:
        return f"{prefix}:{written_out(name)}"
    raise ValueError(
        f"{encoder!r} is no encoder; there are {', '.join(BUILT_IN)}, {ONNX}:FILE, "
        f"{HUB}:NAME-OR-FOLDER and {TABLE}:FILE"
    )


def short_name(encoder: str) -> str:
    """Return what an encoder is called: of one in a file, without the folders around it."""
    return re.sub(r":.*[/\\]", ":", encoder.rstrip("/"))


def _each_once(encoders: list[str]) -> list[str]:
    if len(set(map(short_name, encoders))) < len(encoders):
        raise ValueError(
            f"two of {', '.join(encoders)} have one name, which their values are called by; remove "
            "the repetition, or rename a file"
        )
    return encoders


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Encoder = Annotated[str, AfterValidator(_known)]
Layer = Literal["penultimate", "tags", "pools"]


class Embedding(Section):
    """Frozen embeddings; extracted where one of `evaluation.models` reads them."""

    encoder: Annotated[list[Encoder], BeforeValidator(_listed), AfterValidator(_each_once)] = Field(
        ["musicnn-msd", "vgg-msd"],
        min_length=1,
        description=f"Encoders, side by side: {', '.join(BUILT_IN)}; {ONNX}:FILE, "
        f"{HUB}:NAME-OR-FOLDER, {TABLE}:FILE.",
    )
    layers: list[Layer] = Field(
        ["penultimate", "tags"],
        min_length=1,
        description="Layers of the built-in encoders: penultimate, tags (as log-odds), pools "
        "(which remember artists).",
    )
    overlap: float = Field(0.0, ge=0, le=0.9, description="Overlap of neighbouring patches.")
    normalise: bool = Field(True, description="Bring every track to the same level first.")
    skip_silence: bool = Field(
        True, description="Leave out silence at both ends, which tells of the file."
    )

    _folder: Path = PrivateAttr(WEIGHTS)

    @property
    def folder(self) -> Path:
        """Where the weights of built-in encoders lie."""
        return self._folder

    def weights_of(self, encoder: str) -> Path:
        """Return where the weights of a built-in encoder lie."""
        return self._folder / f"{encoder}.npz"

    def located(self, folder: Path) -> Self:
        """Return the section with the files of its encoders looked for in a folder."""
        encoders = []
        for encoder in self.encoder:
            prefix, colon, place = encoder.partition(":")
            copy = folder / PurePath(place).name
            encoders.append(f"{prefix}:{copy}" if colon and copy.exists() else encoder)
        found = self.model_copy(update={"encoder": encoders})
        if any((folder / f"{encoder}.npz").is_file() for encoder in BUILT_IN):
            found._folder = folder
        return found

    @property
    def missing(self) -> list[Path]:
        """The files of encoders that aren't there; of what is on a hub, none is known."""
        weights = [self.weights_of(encoder) for encoder in self.encoder if encoder in BUILT_IN]
        brought = [path for name, path in self.files.items() if not name.startswith(f"{HUB}:")]
        return [path for path in (*weights, *brought) if not path.is_file()]

    @property
    def needed(self) -> list[Path]:
        """The files and folders without which there are no embeddings, as far as they are files."""
        weights = [self.weights_of(encoder) for encoder in self.encoder if encoder in BUILT_IN]
        brought = [path for path in self.files.values() if path.exists()]
        beside = [
            file
            for path in brought
            if path.is_file()
            for file in sorted(path.parent.iterdir())
            if file.name.startswith(path.stem) and file != path
        ]
        return [*weights, *brought, *beside]

    @property
    def files(self) -> dict[str, Path]:
        """Where the encoders that users bring lie, by the encoder: what they are may change."""
        brought = (e.partition(":") for e in self.encoder if e not in BUILT_IN)
        return {f"{prefix}:{name}": Path(name) for prefix, _, name in brought}

    @property
    def outside_data(self) -> tuple[str, ...]:
        """Name the encoders."""
        return tuple(map(short_name, self.encoder))


KIND = FeatureKind(
    name="embedding",
    title="embeddings of a track",
    parameters=Embedding,
    suffix=".npz",
    extractor="genreflow.features.embedding.extract",
    reader="genreflow.features.embedding.read",
    memory_mb=2000,
    minutes=15,
    optional=True,
)

_MTT = (
    "trained on MagnaTagATune (Pons and Serra 2019): about 19,000 clips of the label "
    "Magnatune's own catalogue, which practically can't hold recordings of GTZAN"
)
_MSD = (
    "trained on the Million Song Dataset (Pons and Serra 2019): about 200,000 songs with "
    "50 tags of Last.fm, genres among them. It may hold recordings of this corpus, too, and "
    "of GTZAN it probably does: compare with musicnn-mtt or vgg-mtt"
)
TRAINED_ON: dict[str, str] = {
    "musicnn-msd": _MSD,
    "vgg-msd": _MSD,
    "musicnn-mtt": _MTT,
    "vgg-mtt": _MTT,
}
"""What a built-in encoder learnt elsewhere, and what that means for its accuracy here."""
