"""Sounds that are of no genre of the corpus: a folder of speech, noise or other music."""

from __future__ import annotations

from pathlib import Path

from genreflow.corpus.scan import TrackFile, walk


def list_strangers(folder: Path) -> tuple[TrackFile, ...]:
    """List the audio files below `folder`, sorted; none where there is no such folder.

    What stands for a genre is the kind of sound: the first folder below, or for files that lie
    directly in it the name of `folder`.

    Raises
    ------
    genreflow.corpus.scan.CorpusError
        The folder can't be listed.
    """
    if not folder.exists():
        return ()
    files = []
    for name, path, is_audio in walk(folder, folder):
        if is_audio:
            kind, _, rest = name.partition("/")
            files.append(TrackFile(name, kind if rest else folder.name, path))
    return tuple(sorted(files, key=lambda file: file.track_id))
