import hashlib
import shlex
import shutil
import sys
from pathlib import Path

from genreflow import params as parameters
from genreflow.corpus.styles import STYLES
from genreflow.corpus.digest import shard_digest
from genreflow.corpus.scan import find_genres, list_shards
from genreflow.models import registry
from genreflow.provenance import code_digest

# Snakemake starts scripts with this path unquoted, and a user's folder may have a space in its name.
sys.executable = shlex.quote(sys.executable)

PARAMS = parameters.parse(config)
ROOT = Path(PARAMS.corpus.root)
IS_DEMO = PARAMS.corpus.root == parameters.DEMO_ROOT
GENRES = tuple(STYLES) if IS_DEMO else find_genres(ROOT)
SHARDS = list_shards(GENRES, PARAMS.corpus.shards_per_genre)
FOLDS = PARAMS.splits.folds
MODELS = PARAMS.evaluation.models


wildcard_constraints:
    genre="[^/]+",
    shard="[^/]+",
    fold="[0-9]+",


def corpus_folder(wildcards):
    """The genre folder of a shard; the user's own never triggers by its date."""
    genre = SHARDS[wildcards.shard].genre
    return str(ROOT / genre) if IS_DEMO else ancient(str(ROOT / genre))


def corpus_digest(wildcards):
    """What triggers instead: the content of the audio files, whatever their dates say."""
    if IS_DEMO:
        return "synthesised"
    return shard_digest(ROOT, SHARDS[wildcards.shard], Path(".cache/corpus-digests"))


def file_digest(path):
    """The content of a small listing, or its absence."""
    return (
        hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if Path(path).is_file()
        else None
    )


def training_code(model):
    """What training a model runs: the shared part, the model's module and its features' reader."""
    return code_digest("genreflow.training", registry.module_name(model))


def trained(pattern):
    """What the compared models wrote, one file per model and fold."""
    return expand(
        f"results/models/{{model}}/{{fold}}/{pattern}", model=MODELS, fold=FOLDS
    )


def training_tables(wildcards):
    """Learning curves and grids, of the compared models that write them."""
    return [
        f"results/models/{model}/{fold}/{registry.entry(model).table}"
        for model in MODELS
        if registry.entry(model).table
        for fold in FOLDS
    ]


def leftovers():
    """Artifacts of shards and folds that the parameters or the corpus no longer have.

    They would be dead weight, and part of what DVC records although nothing makes them.
    """
    for folder in ("audio", "features/handcrafted", "features/mel"):
        yield from (
            f for f in Path("results", folder).glob("*.*") if f.stem not in SHARDS
        )
    yield from (f for f in Path("results/models").glob("*/*/") if f.name not in FOLDS)


onstart:
    for path in leftovers():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
