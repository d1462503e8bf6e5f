"""The step `strangers`: sounds that are of no genre, described as the corpus is.

They are decoded and described by the code that the corpus went through, so that what differs is
the sound. The file is laid out like those of changed tracks (:mod:`genreflow.robustness.cache`).
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path

from genreflow import lineage
from genreflow.audio.decode import RejectedError, decode
from genreflow.corpus.strangers import list_strangers
from genreflow.params import Params
from genreflow.registry import PROBES, kinds_of
from genreflow.registry.changes import CLEAN
from genreflow.robustness.cache import new_file

log = logging.getLogger(__name__)


def write_strangers(params: Params, out: Path) -> None:
    """Decode and describe the sounds in ``unknown.folder``, for the models of the side studies.

    Parameters
    ----------
    params
        All parameters.
    out
        File to write: a row for each sound, by its name, with the kind of sound for a genre; none
        where ``unknown.enabled`` is false or there is no such folder. What the decoder sets aside
        is left out, and named in the log.

    Raises
    ------
    genreflow.corpus.scan.CorpusError
        The folder can't be listed.
    """
    sounds = list_strangers(Path(params.unknown.folder)) if params.unknown.enabled else ()
    kinds = {kind.name: kind for probe in PROBES for kind in kinds_of(probe)}
    extractors = {name: import_module(kind.extractor) for name, kind in kinds.items()}
    rate = params.audio.sample_rate
    with new_file(out, list(kinds), lineage.stamp("strangers", params)) as file:
        for sound in sounds:
            try:
                samples = decode(sound.path, params.audio).samples
            except RejectedError as error:
                log.warning("%s is left out: it %s", sound.path, error)
            else:
                rows = {
                    name: extractor.rows_of(samples, rate, params.at(kinds[name].section))
                    for name, extractor in extractors.items()
                }
                file.add(sound.track_id, sound.genre, CLEAN, rows)
