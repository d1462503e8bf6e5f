"""How familiar a sound is to a release: what `familiarity.npz` holds, and what is made of it."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from genreflow.models.base import ModelFileError
from genreflow.models.familiarity import Familiarity
from genreflow.models.reading import reading
from genreflow.prediction.voter import Sound
from genreflow.registry import handcrafted
from genreflow.registry.handcrafted import Handcrafted
from genreflow.store.archive import member, new_archive

FAMILIARITY = "familiarity.npz"
"""File of a release."""

_PARAMETERS = "parameters"
_LARGEST = 1 << 24


class Acquaintance:
    """Tells how familiar sounds are.

    Parameters
    ----------
    familiarity
        By features of whole tracks.
    params
        How these features are made.
    """

    def __init__(self, familiarity: Familiarity, params: Handcrafted) -> None:
        self._familiarity = familiarity
        self._params = params

    def of(self, sound: Sound) -> float:
        """Return the share of the corpus' tracks that are less familiar, or as familiar."""
        rows = sound.rows(handcrafted.KIND.extractor, self._params)
        return float(self._familiarity.of(rows)[0])

    def save(self, folder: Path) -> None:
        """Write ``familiarity.npz``."""
        arrays = {one.name: getattr(self._familiarity, one.name) for one in fields(Familiarity)}
        arrays[_PARAMETERS] = np.str_(self._params.model_dump_json())
        with new_archive(folder / FAMILIARITY) as archive:
            for name, values in arrays.items():
                with member(archive, f"{name}.npy") as file:
                    np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Acquaintance:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ModelFileError
            There is none, or it is damaged.
        """
        path = folder / FAMILIARITY
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise ModelFileError(
                f"{path}: isn't there, or no such file; familiarity is known to releases alone, "
                "which `snakemake` makes"
            )
        with reading(path), np.load(path, allow_pickle=False) as archive:
            arrays = {one.name: archive[one.name] for one in fields(Familiarity)}
            params = Handcrafted(**json.loads(str(archive[_PARAMETERS])))
            n_features = len(arrays["centre"])
            expected = {"centre": 1, "scale": 1, "means": 2, "distances": 1}
            if any(arrays[name].ndim != n for name, n in expected.items()) or (
                arrays["means"].shape[1] != n_features or arrays["scale"].shape != (n_features,)
            ):
                raise ValueError("its arrays don't belong together")
        return cls(Familiarity(**arrays), params)
