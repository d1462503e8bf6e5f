import functools
import os
import shlex
import sys
from dataclasses import astuple
from pathlib import Path

from snakemake import persistence
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import Quietness
from snakemake.utils import min_version

min_version("9.20")

# The digests that decide what is made anew are of the code in this folder.
if (
    not os.path.samefile(workflow.basedir, os.getcwd())
    or not Path("workflow/scripts/train.py").is_file()
):
    raise WorkflowError(
        "genreflow runs in a clone of its own and as no module of another workflow: clone it, change "
        "into it, and edit params.yaml there (config/README.md)"
    )

# The code that runs is the code beside this workflow, installed or not, here and in every job.
SOURCE = str(Path(workflow.basedir, "src"))
sys.path.insert(0, SOURCE)
inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [SOURCE, *inherited])))

from genreflow import (
    clock,
    disk,
    leftovers,
    machine,
    progress,
    runlock,
    slurm,
    stages,
    tracking,
)
from genreflow import params as parameters
from genreflow.corpus.digest import files_digest, shard_digests
from genreflow.corpus.scan import list_shards
from genreflow.corpus.strangers import list_strangers
from genreflow.folds import changed_folds, parse_training, training_names
from genreflow.registry import BASELINE, FEATURES, MODELS, PROBES
from genreflow.registry.entry import GRID, HISTORY, IMPORTANCE, METADATA, PREDICTIONS
from genreflow.steps import STEPS, kinds_in_use, takes_part
from genreflow.store.files import file_sha256, remove_unfinished

# What rules say in `params` are plain values. To see whether one is a table, Snakemake would import
# pandas, which takes a fifth of a plan's time.
if hasattr(persistence, "PersistenceBase"):
    persistence.PersistenceBase._serialize_param = property(
        lambda self: self._serialize_param_builtin
    )

# Snakemake starts scripts with this path unquoted, and a user's folder may have a space in its name.
sys.executable = shlex.quote(sys.executable)

# Of what a file says twice, Snakemake would take the last and drop the rest.
if workflow.is_main_process:
    for file in workflow.configfiles:
        parameters.read(Path(file))

PARAMS = parameters.parse(config)
ROOT = Path(PARAMS.corpus.root)
LAYOUT = stages.layout_of(PARAMS)
GENRES = LAYOUT.genres
SHARDS = list_shards(GENRES, PARAMS.corpus.shards_per_genre)
TRAININGS = {
    model: training_names(PARAMS.splits, PARAMS.at(MODELS[model].section).seeds)
    for model in MODELS
}
FAMILIES = PARAMS.robustness.families
CODE = stages.step_digests(PARAMS)
PROBED = {kind for model in PROBES for kind in MODELS[model].reads}

# Where results are kept instead of here; as a rule nowhere, and then nothing of it is imported.
STORAGE = (
    workflow.storage_settings and workflow.storage_settings.default_storage_provider
)
if STORAGE:
    from genreflow import remote

    remote.prepare(STORAGE)
COPIES = [workflow.storage_settings.local_storage_prefix] if STORAGE else []

# Trainings that DVC had put aside, and that the parameters ask for again.
leftovers.bring_back(Path("results"), leftovers.Wanted.by(PARAMS, GENRES))

# Whose dates Snakemake compares; the user's own audio is known by its content.
DATED = [Path("results"), Path(workflow.basedir, "workflow/scripts")]
if workflow.is_main_process:
    clock.bring_to_now([*DATED, ROOT] if PARAMS.is_demo else DATED)


# What jobs share here beside cores. `--resources` has the last word, and what a cluster has is
# its own affair: there, `--jobs` says how many are sent.
HERE = workflow.resource_settings.nodes is None
if HERE:
    for name, limit in machine.limits().items():
        if name not in workflow.global_resources:
            workflow.register_resource(name, limit)

# Of a cluster's GPUs only the user knows: `--resources gpu=8` says that there are some, and how many
# networks may have one at once.
GPUS = HERE or "gpu" in workflow.global_resources


onstart:
    # In the process of the run alone: jobs, plans and questions need no lock.
    if workflow.is_main_process:
        for folder in ("results", ".cache"):
            disk.check_writable(Path(folder))
        stages.check_encoders(PARAMS, GENRES, Path("results"))
        tracking.chosen()
        runlock.hold(Path.cwd())
        runlock.keep_dvc_out(Path.cwd())
        if workflow.touch:  # old results would pass for those of new parameters
            if STORAGE:
                remote.refuse_touch(STORAGE)
            from genreflow.vouch import check_stamps

            check_stamps(PARAMS, GENRES, Path("results"))
        # Of runs that were killed; DVC would record them with the folders that they lie in.
        for folder in ("results", "workflow", ".cache", *COPIES):
            remove_unfinished(Path(folder))
        # A person at a terminal sees how far networks are, unless asked for quiet.
        quiet = workflow.output_settings.quiet or set()
        if sys.stderr.isatty() and not quiet & {Quietness.ALL, Quietness.PROGRESS}:
            progress.Teller(Path("results"), sys.stderr).start()


def tell_what_slurm_did(logs):
    """Name jobs that Slurm stopped: the terminal has only heard that they failed."""
    if HERE:
        return
    asked = {
        str(job.jobid): slurm.Asked(
            job.rule.name,
            ", ".join(f"{name} {value}" for name, value in job.wildcards_dict.items()),
            job.resources.mem_mb,
            job.resources.runtime,
        )
        for job in workflow.dag.jobs
        if not job.is_local
    }
    for log in logs:
        for line in slurm.explain(Path(log).read_text(encoding="utf-8"), asked):
            print(line, file=sys.stderr)


onsuccess:
    tell_what_slurm_did(log)


onerror:
    tell_what_slurm_did(log)


wildcard_constraints:
    genre="[^/]+",
    shard="[^/]+",
    training="[0-9]+([.][0-9]+)?",
    family="[^/]+",


def corpus_folder(wildcards):
    """The demo's folder of a shard's genre.

    A user's own folder is no input: its date means nothing, and in its name Snakemake would take
    braces and angle brackets for wildcards. What triggers is its content; see corpus_digest.
    """
    return str(ROOT / SHARDS[wildcards.shard].genre) if PARAMS.is_demo else []


def corpus_digest(wildcards):
    """What triggers instead: the content of the audio files, whatever their dates say."""
    if PARAMS.is_demo:
        return "synthesised"
    return digests_of(SHARDS[wildcards.shard].genre)[wildcards.shard]


@functools.cache
def digests_of(genre):
    """The same of all shards of a genre, whose folder is walked through once."""
    shards = [shard for shard in SHARDS.values() if shard.genre == genre]
    return shard_digests(LAYOUT, shards, Path(".cache/corpus-digests"))


def strangers_digest(wildcards):
    """The content of sounds of no genre; there need be none, and no folder."""
    folder = Path(PARAMS.unknown.folder)
    files = list_strangers(folder) if PARAMS.unknown.enabled else ()
    return files_digest(files, str(folder.resolve()), Path(".cache/corpus-digests"))


def listing_digest(path):
    """The content of a small listing, or its absence."""
    return file_sha256(Path(path)) if Path(path).is_file() else None


def memory(megabytes):
    """What a job asks for, with each attempt as much again [MB].

    A cluster counts the two processes of Snakemake's that a job has there, too.
    """
    asked = megabytes if HERE else megabytes + 500
    return lambda wildcards, attempt: asked * attempt


def gpu(model):
    """What a job of a model asks for beside memory and time."""
    return {"gpu": 1} if model.gpu and GPUS else {}


def minutes(step):
    """How long a cluster lets a job take, with each attempt as much again."""
    return lambda wildcards, attempt: STEPS[step].minutes * attempt


def cost(step, job=None):
    """Where a job says how long it took."""
    return f"results/{STEPS[step].cost(job)}"


def features(*kinds):
    """The features of all shards, of some kinds."""
    return [
        f"results/{FEATURES[kind].artifact(shard)}"
        for kind in kinds
        for shard in SHARDS
    ]


def fingerprints():
    """The fingerprints of all shards, if they are compared."""
    if not takes_part("fingerprints", PARAMS):
        return []
    return [f"results/fingerprints/{shard}.arrow" for shard in SHARDS]


def trained(name):
    """A file that training wrote, of all trainings of all compared models that have it."""
    return [
        f"results/{MODELS[m].artifact(training, name)}"
        for m in PARAMS.evaluation.models
        if name in MODELS[m].files
        for training in TRAININGS[m]
    ]


def own_parameters(model, number=0):
    """The section of a model as a training has it; more seeds leave those there are alone."""
    return PARAMS.of_training(model, number).section(MODELS[model].section)


def answers():
    """What all compared models say of changed tracks."""
    return [f"results/robustness/{model}.parquet" for model in PARAMS.evaluation.models]
