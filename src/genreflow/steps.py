"""The table of steps: what each runs, which parameters are its own, and whose artifacts it reads.

Everything that must know this is made from here: the digests of code that both tools watch, the
stamps in artifacts, docs/reruns.md, and what the tests expect of both tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from genreflow.nested import flatten
from genreflow.params import Params
from genreflow.registry import (
    BASELINE,
    BUILT_IN,
    ENSEMBLES,
    FEATURES,
    MODELS,
    PROBES,
    embedding,
    kinds_of,
    resnet50,
)
from genreflow.registry.changes import CHANGES
from genreflow.registry.entry import FeatureKind

Fan = Literal["genre", "shard", "training", "family"]


@dataclass(frozen=True)
class Step:
    """A step of the pipeline: a rule of Snakemake and a stage of DVC.

    Attributes
    ----------
    name
        Of the rule.
    modules
        Where its code begins; what these import belongs to it.
    script
        In ``workflow/scripts``.
    sections
        Its own sections of ``params.yaml``; they are in the stamps of what it makes.
    needs
        Steps whose artifacts it reads.
    settings
        Single parameters of other sections that it reads, too: most of them decide which files it
        reads or makes.
    per
        What there is one job for: each genre, shard, training (a fold with a seed) or family of
        changes; None where one job does it all.
    facts
        What the registry says to it. It counts as code: titles, where they are printed.
    minutes
        What a cluster lets a job of it take, the first time it is tried: four times what
        docs/performance.md measured at 1,000 tracks of 30 s, and at least ten. Here nothing is
        stopped.
    """

    name: str
    modules: tuple[str, ...]
    script: str
    sections: tuple[str, ...]
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    per: Fan | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    minutes: int = 10

    @property
    def stage(self) -> str:
        """Name of its stage in DVC: ``train@cnn`` for the rule ``train_cnn``, else the rule's."""
        if self.script == "features":
            return f"features@{self.name}"
        if self.script in ("train", "robustness", "refit"):
            return self.name.replace("_", "@", 1)
        return self.name

    def cost(self, job: str | None = None) -> PurePosixPath:
        """Return where its jobs say how long they took, below the results.

        Parameters
        ----------
        job
            A genre, shard, training or family, or the wildcard that stands for it.
        """
        folder = PurePosixPath("benchmarks")
        return folder / (f"{self.name}.json" if job is None else f"{self.name}/{job}.json")


def _steps() -> Iterator[Step]:
    yield Step("demo", ("genreflow.corpus.demo.synthesise",), "demo", ("demo",), per="genre")
    yield Step(
        "audio",
        ("genreflow.audio.write", "genreflow.corpus.layout"),
        "audio",
        ("audio",),
        needs=("demo",),
        settings=("corpus.root", "corpus.labels", "corpus.shards_per_genre"),
        per="shard",
    )
    for kind in FEATURES.values():
        yield Step(
            kind.name,
            (kind.extractor, "genreflow.audio.cache"),
            "features",
            (kind.section,),
            needs=("audio",),
            per="shard",
            facts={"suffix": kind.suffix},
            minutes=kind.minutes,
        )
    yield Step(
        "fingerprints",
        ("genreflow.fingerprints.write", "genreflow.audio.cache"),
        "fingerprints",
        (),
        needs=("audio",),
        settings=("tracks.near_duplicates",),
        per="shard",
    )
    yield Step(
        "tracks",
        ("genreflow.tracks.manifest", "genreflow.corpus.labels"),
        "tracks",
        ("tracks",),
        needs=("audio", "fingerprints"),
    )
    yield Step(
        "splits",
        ("genreflow.tracks.splits", "genreflow.corpus.labels"),
        "splits",
        ("splits",),
        needs=("tracks",),
        settings=("corpus.groups", "corpus.group_pattern", "corpus.group_by"),
    )
    for model in MODELS.values():
        yield Step(
            model.step,
            ("genreflow.training", *(FEATURES[kind].reader for kind in model.reads), model.module),
            "train",
            (model.section,),
            needs=(*model.reads, "splits"),
            per="training",
            facts=model.facts(),
            minutes=model.minutes,
        )
    (baseline,) = kinds_of(BASELINE)
    yield Step(
        "naive",
        ("genreflow.studies.naive", baseline.reader, MODELS[BASELINE].module),
        "naive",
        ("naive", MODELS[BASELINE].section),
        needs=(baseline.name, "splits"),
    )
    probes = [MODELS[name] for name in PROBES]
    kinds = [kind for name in PROBES for kind in kinds_of(name)]
    yield Step(
        "strangers",
        ("genreflow.robustness.strangers", *(kind.extractor for kind in kinds)),
        "strangers",
        (*(kind.section for kind in kinds), "audio"),
        settings=("unknown.enabled", "unknown.folder"),
        facts={"kinds": {kind.name: kind.stored for kind in kinds}},
    )
    for study, needs, settings, minutes in (
        ("ungrouped", ("tracks", "splits"), (), 10),
        ("corpus_size", ("splits",), ("evaluation.confidence",), 20),
        ("unknown", ("splits", "strangers"), (), 40),  # it trains once more for each genre
    ):
        yield Step(
            study,
            (
                f"genreflow.studies.{study}",
                *(kind.reader for kind in kinds),
                *(probe.module for probe in probes),
            ),
            study,
            (*(probe.section for probe in probes), study),
            needs=(*(kind.name for kind in kinds), *needs),
            settings=settings,
            facts={"probes": PROBES},
            minutes=minutes,
        )
    yield Step(
        "changed",
        ("genreflow.robustness.write", *(kind.extractor for kind in FEATURES.values())),
        "changed",
        (*(kind.section for kind in FEATURES.values()), "robustness"),
        needs=("audio", "splits"),
        settings=("corpus.root", "corpus.labels"),
        per="family",
        facts={kind.name: kind.stored for kind in FEATURES.values()},
        minutes=15,
    )
    for model in MODELS.values():
        yield Step(
            model.robustness_step,
            ("genreflow.robustness.judge", model.module),
            "robustness",
            (),
            needs=("changed", model.step, "splits"),
            facts=model.facts(),
        )
    yield Step(
        "chain_audit",
        ("genreflow.studies.chain_audit",),
        "chain_audit",
        ("chain_audit",),
        needs=("audio", "tracks", "splits"),
        settings=("evaluation.confidence",),
    )
    yield Step(
        "evaluate",
        ("genreflow.evaluation.run",),
        "evaluate",
        ("evaluation",),
        needs=(
            "tracks",
            *(model.step for model in MODELS.values()),
            *(model.robustness_step for model in MODELS.values()),
        ),
        facts={"baseline": BASELINE, "ensembles": ENSEMBLES, "changes": tuple(CHANGES)},
    )
    for model in MODELS.values():
        yield Step(
            model.refit_step,
            (
                "genreflow.release.refit",
                *(FEATURES[kind].reader for kind in model.reads),
                model.module,
            ),
            "refit",
            (),
            needs=(*model.reads, "splits", model.step),
            settings=(f"release.{model.name}",),
            facts=model.facts(),
            minutes=model.minutes,
        )
    yield Step(
        "release",
        ("genreflow.release.assemble", FEATURES["handcrafted"].reader),
        "release",
        (),
        needs=(
            "handcrafted",
            "evaluate",
            "splits",
            "tracks",
            *(model.refit_step for model in MODELS.values()),
        ),
        facts={
            "ensembles": ENSEMBLES,
            "models": {
                m.name: (m.title, m.summary, m.reads, m.model_files) for m in MODELS.values()
            },
            "trained_on": embedding.TRAINED_ON | resnet50.TRAINED_ON,
        },
    )
    yield Step(
        "explore",
        ("genreflow.exploration.run",),
        "explore",
        ("exploration", FEATURES["mel"].section),
        needs=("tracks", "handcrafted"),
    )
    yield Step(
        "report",
        ("genreflow.report.build",),
        "report",
        ("report",),
        needs=(
            "evaluate",
            "naive",
            "ungrouped",
            "corpus_size",
            "unknown",
            "chain_audit",
            "explore",
        ),
        facts={
            "baseline": BASELINE,
            "ensembles": ENSEMBLES,
            # Those of other packages are part of their code, which is trained with.
            "models": {m.name: (m.title, m.summary, m.reads, m.tuned) for m in BUILT_IN.values()},
            "features": {kind.name: kind.title for kind in FEATURES.values()},
            "changes": CHANGES,
            "trained_on": embedding.TRAINED_ON | resnet50.TRAINED_ON,
            "defaults": _defaults(),
        },
    )


def _defaults() -> dict[str, Any]:
    """Return the defaults that the report shows beside values that differ from them."""
    values = Params().model_dump(mode="json")
    values["models"] = {name: values["models"][name] for name in BUILT_IN}
    return flatten(values)


STEPS: dict[str, Step] = {step.name: step for step in _steps()}
"""All steps, in the order of the pipeline."""


def takes_part(name: str, params: Params) -> bool:
    """Tell whether a run makes this step: it leaves out what its parameters don't ask for."""
    if name == "demo":
        return params.is_demo
    if name == "fingerprints":
        return params.tracks.near_duplicates
    if name in FEATURES and FEATURES[name].optional:
        return any(name in MODELS[model].reads for model in params.evaluation.models)
    judging = {m.robustness_step for m in MODELS.values()}
    if name in {"changed", *judging} and not params.robustness.enabled:
        return False
    others = [m for m in MODELS.values() if m.name not in params.evaluation.models]
    return name not in {step for m in others for step in (m.step, m.robustness_step, m.refit_step)}


def kinds_in_use(params: Params) -> list[FeatureKind]:
    """Return the kinds of features that a run extracts."""
    return [kind for kind in FEATURES.values() if takes_part(kind.name, params)]


def own_sections(step: Step, params: Params) -> tuple[str, ...]:
    """Return a step's own sections without those of features that a run doesn't extract."""
    if step.name in FEATURES:
        return step.sections
    unused = {kind.section for kind in FEATURES.values()}
    unused -= {kind.section for kind in kinds_in_use(params)}
    return tuple(section for section in step.sections if section not in unused)


def downstream(names: set[str]) -> set[str]:
    """Add all steps that read, by however many steps between, what one of `names` makes."""
    found = set(names)
    for step in STEPS.values():
        if found & set(step.needs):
            found.add(step.name)
    return found
