"""``params.yaml``: any bytes are parameters, or the one error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuzz.outcome import result_or
from genreflow.folds import training_names
from genreflow.lineage import of_model
from genreflow.params import ParamsError, load, parse
from genreflow.registry import BASELINE


def run(data: bytes, folder: Path) -> None:
    """Read `data` as ``params.yaml``, and do with it what every start does."""
    path = folder / "params.yaml"
    path.write_bytes(data)
    with result_or(ParamsError, str(path)):
        params = load(path)
        assert parse(params.model_dump(mode="json")) == params
        assert of_model(BASELINE, params).to_json()
        assert training_names(params.splits, params.at(f"models.{BASELINE}").seeds)


def seeds() -> Iterator[bytes]:
    """Yield documents to begin from."""
    from genreflow.generate import params_yaml

    yield params_yaml().encode()
    yield b"splits: {strategy: kfold, n_splits: 3, repeats: 2}\n"
    yield b"a: &a [x, x]\nb: &b [*a, *a]\ncorpus: {root: *b}\n"
    yield b"audio: {max_seconds: .inf, sample_rate: 0x10, min_seconds: 1:30}\n"
