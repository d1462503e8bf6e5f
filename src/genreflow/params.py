"""Typed parameters: one class per section of ``params.yaml``, one description per field.

The classes are the single source for validation, for ``workflow/schemas/params.schema.json`` and
for ``params.yaml`` itself. A section is the unit of dependency: a workflow step reads its own
section and nothing else, so an edit reruns what lies downstream of that section. The sections of
models and features come with their entries in :mod:`genreflow.registry`.
"""

from __future__ import annotations

import re
import reprlib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, Field, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails

from genreflow import registry
from genreflow.errors import GenreflowError
from genreflow.registry.changes import CHANGES, CLEAN, FAMILIES
from genreflow.section import FilePath, Fraction, PositiveFloat, PositiveInt, Section, Seed

_LARGEST = 256 * 1024
"""Bytes of a ``params.yaml``; twenty times what all parameters take."""
_MOST_COMPLAINTS = 20
_LONGEST = 200
"""Characters of a name or value that a complaint quotes."""
_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxother = _LONGEST
"""Quotes a wrong value, however large it is, and however often it holds itself."""

DEMO_ROOT = "data/demo"
"""The ``corpus.root`` whose audio is synthesised."""


def _with_one_capture(pattern: str) -> str:
    try:
        captures = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is no regular expression ({error})") from None
    if captures != 1:
        raise ValueError(
            f"{pattern!r} has {captures} captures; write one pair of parentheses around what names "
            "the group, and (?:…) for others"
        )
    return pattern


Pattern = Annotated[str, AfterValidator(_with_one_capture)]


class Corpus(Section):
    """Where the audio lies."""

    root: FilePath = Field(DEMO_ROOT, description="Folder of genre folders; `data/demo` is made.")
    labels: FilePath = Field(
        "data/labels.csv",
        description="CSV path, genre[, group, role]: genres by table; without rows, by folder.",
    )
    groups: FilePath = Field(
        "data/groups.csv",
        description="CSV track_id, group (artist, album): a group never crosses folds.",
    )
    group_pattern: Pattern | None = Field(
        None,
        description="Regular expression, searched in each track_id: what its one capture holds "
        "is the group.",
    )
    group_by: Literal["file", "folder"] = Field(
        "file", description="folder: the first folder below the genre's is the group."
    )
    shards_per_genre: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Jobs per genre and step; raise it on many cores or for large corpora.",
    )


class Demo(Section):
    """The corpus that is synthesised when `corpus.root` is `data/demo`."""

    seed: Seed = Field(0, description="Seed of the synthesiser.")
    tracks_per_genre: int = Field(
        20, ge=4, le=100_000, description="Tracks in each of the ten genres."
    )
    seconds: float = Field(4.0, ge=2.0, le=60.0, description="Length of a track [s].")


Recipe = Literal["band", "codec", "gain", "mix", "noise", "pitch", "speed", "tone"]
"""How a copy of a training track is made; :mod:`genreflow.audio.augment` makes it."""


class Audio(Section):
    """Decoding."""

    sample_rate: int = Field(
        22050, ge=4000, le=384_000, description="Sample rate of the cache [Hz]."
    )
    start: Literal["beginning", "middle"] | Annotated[float, Field(ge=0)] = Field(
        "beginning",
        description="Where the excerpt of a track begins: beginning, middle, or after so much [s].",
    )
    max_seconds: PositiveFloat = Field(30.0, description="Read at most so much of a track [s].")
    min_seconds: PositiveFloat = Field(
        1.5, description="Set shorter tracks aside [s]; at least features.mel.window_seconds."
    )
    silence_db: float = Field(
        -60.0, lt=0, description="Set tracks aside whose peak lies below [dB full scale]."
    )
    augment: list[Recipe] = Field(
        ["mix", "mix", "mix"],
        max_length=20,
        description="Train on changed copies, too, one for each time a name stands here: "
        f"{', '.join(get_args(Recipe))}.",
    )


class Tracks(Section):
    """The manifest of all tracks."""

    max_rejected_fraction: float = Field(
        0.1, ge=0, le=1, description="Stop when a larger share of files had to be set aside."
    )
    near_duplicates: bool = Field(
        True,
        description="Find the same recording at another level, offset or codec, "
        "not only equal samples.",
    )
    min_correlation: float = Field(
        0.45,
        gt=0,
        le=1,
        description="Least correlation of such tracks; raise it where different ones share a loop.",
    )


class Splits(Section):
    """How tracks are divided into training, validation and test."""

    strategy: Literal["holdout", "kfold", "predefined", "fault_filtered"] = Field(
        "holdout",
        description="One split, k folds, the roles listed in `file`, or GTZAN's fault-filtered "
        "partition.",
    )
    seed: Seed = Field(0, description="Seed of the shuffle.")
    test_fraction: Fraction = Field(0.3, description="Share of test tracks (holdout).")
    valid_fraction: Fraction = Field(
        0.15, description="Share of the training tracks carved off for validation."
    )
    n_splits: int = Field(5, ge=2, le=1000, description="Folds (kfold).")
    repeats: int = Field(
        1,
        ge=1,
        le=1000,
        description="Divide so many times, with seed, seed + 1, …: shows the luck of the split "
        "(holdout, kfold).",
    )
    file: FilePath = Field("data/roles.csv", description="CSV track_id, role (predefined).")
    keep_duplicates_together: bool = Field(
        True, description="Recordings found to be the same stay on one side of every split."
    )

    @property
    def drawn(self) -> bool:
        """Whether tracks are divided by chance, and not by a given partition."""
        return self.strategy in ("holdout", "kfold")

    @model_validator(mode="after")
    def _a_given_partition_has_no_repeats(self) -> Self:
        if self.repeats > 1 and not self.drawn:
            raise ValueError(
                f"repeats ({self.repeats}) asks for several ways of dividing, but strategy "
                f"{self.strategy} has one; set repeats: 1"
            )
        return self


def _known(model: str) -> str:
    if model not in registry.MODELS:
        raise ValueError(
            f"{_quoted(model)}: no such model; there are {', '.join(registry.MODELS)}. A new one "
            "is listed in src/genreflow/registry/__init__.py, or comes with a package "
            "(docs/add-a-model.md)"
        )
    return model


ModelName = Annotated[str, AfterValidator(_known)]


class Evaluation(Section):
    """Metrics, intervals and tests."""

    models: list[ModelName] = Field(
        list(registry.WITHOUT_OUTSIDE_DATA),
        description=f"Models to train and compare; {registry.BASELINE} is needed. With outside "
        f"data: {', '.join(sorted(set(registry.BUILT_IN) - {*registry.WITHOUT_OUTSIDE_DATA}))}.",
    )
    confidence: Fraction = Field(0.95, description="Level of the intervals.")
    n_bootstrap: int = Field(
        2000,
        ge=100,
        le=1_000_000,
        description="Resamples of the tracks (intervals of F1, balanced accuracy).",
    )
    seed: Seed = Field(0, description="Seed of the bootstrap.")
    calibration_bins: int = Field(10, ge=2, le=1000, description="Bins of the reliability curve.")

    @model_validator(mode="after")
    def _baseline_is_there_once(self) -> Self:
        if registry.BASELINE not in self.models:
            raise ValueError(
                f"models lacks {registry.BASELINE}, the baseline of every comparison; add it"
            )
        if len(set(self.models)) < len(self.models):
            raise ValueError("models names a model twice; remove the repetition")
        return self


class Naive(Section):
    """What dividing windows instead of tracks would claim: the baseline, trained once more."""

    enabled: bool = Field(True, description="Whether to find out.")


class Ungrouped(Section):
    """What ignoring artists would claim, where they are known: two cheap models, trained again."""

    enabled: bool = Field(True, description="Whether to find out.")


class CorpusSize(Section):
    """Whether more data would help: two cheap models, trained on parts of the training tracks."""

    enabled: bool = Field(False, description="Whether to find out.")
    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.25, 0.5, 1.0], description="Shares of the training tracks."
    )

    @model_validator(mode="after")
    def _a_curve_has_two_points(self) -> Self:
        if len(set(self.fractions)) < 2:
            raise ValueError(
                f"fractions ({self.fractions}) make no curve; name at least two different shares"
            )
        return self


class Unknown(Section):
    """How sure two cheap models are of a genre that they were trained without, and of no music."""

    enabled: bool = Field(True, description="Whether to find out.")
    genres: PositiveInt = Field(
        10, description="Leave out at most so many genres, one at a time: the largest."
    )
    folder: FilePath = Field(
        "data/unknown",
        min_length=1,
        description="Folder of sounds of no genre: speech, noise, other music; may be empty.",
    )
    unsure_below: Fraction = Field(
        0.6, description="A lower confidence, after calibration, counts as unsure."
    )
    unfamiliar_below: Fraction = Field(
        0.05, description="A lower familiarity counts as unfamiliar: what 5 % of the corpus has."
    )


def _known_change(change: str) -> str:
    if change not in CHANGES:
        raise ValueError(f"{_quoted(change)}: no such change; there are {', '.join(CHANGES)}")
    return change


ChangeName = Annotated[
    str, AfterValidator(_known_change), Field(json_schema_extra={"enum": list(CHANGES)})
]


def _in_order(changes: list[str]) -> list[str]:
    if len(set(changes)) < len(changes):
        raise ValueError("changes names a change twice; remove the repetition")
    return [change for change in CHANGES if change in changes]


class Robustness(Section):
    """Whether models still know the song after a codec, a filter, a room."""

    enabled: bool = Field(True, description="Whether to find out.")
    changes: Annotated[list[ChangeName], AfterValidator(_in_order)] = Field(
        list(CHANGES),
        min_length=1,
        description="What test tracks go through, each for itself.",
    )
    folds: Literal["first", "all"] = Field(
        "first", description="Whose test tracks: those of the first fold, or of every fold."
    )
    windows_per_track: PositiveInt = Field(
        3, description="Mel windows judged of a track, evenly spaced."
    )
    seed: Seed = Field(0, description="Seed of the noise and of the room.")

    @property
    def variants(self) -> list[str]:
        """What is made of each track: itself, and then all changes; nothing if disabled."""
        return [CLEAN, *self.changes] if self.enabled else []

    @property
    def families(self) -> list[str]:
        """The families that something is made of; that of the track itself even if disabled."""
        return [
            family
            for family, members in FAMILIES.items()
            if CLEAN in members or set(members) & set(self.variants)
        ]


class ChainAudit(Section):
    """Whether the recording chain tells the genre: codec, bandwidth and levels, without music."""

    enabled: bool = Field(True, description="Whether to find out.")


class Exploration(Section):
    """What the report shows of the corpus: maps and rankings of the features, examples."""

    seed: Seed = Field(0, description="Seed of the maps.")
    examples_per_genre: PositiveInt = Field(1, description="Example spectrograms per genre.")


class Report(Section):
    """The page."""

    title: str = Field("Genre classification", description="Heading of the report.")


def _one_choice_each(name: str, doc: str, choices: dict[str, bool], what: str) -> type[Section]:
    """Return a section of yes and no, one for each entry of the registry."""
    fields: dict[str, Any] = {
        key: (bool, Field(choice, description=what.format(key))) for key, choice in choices.items()
    }
    return create_model(name, __base__=Section, __doc__=doc, **fields)


def _one_section_each(name: str, doc: str, sections: dict[str, type[Section]]) -> type[Section]:
    """Return a section of sections, one for each entry of the registry."""
    fields: dict[str, Any] = {key: (section, section()) for key, section in sections.items()}
    return create_model(name, __base__=Section, __doc__=doc, **fields)


Features = _one_section_each(
    "Features",
    "One section per kind of features.",
    {kind.name: kind.parameters for kind in registry.FEATURES.values()},
)

Models = _one_section_each(
    "Models",
    "One section per model; a model depends on its own section alone.",
    {entry.name: entry.parameters for entry in registry.MODELS.values()},
)


Release = _one_choice_each(
    "Release",
    "What a run ends with: each model once more, trained on all tracks.",
    {entry.name: entry.refit for entry in registry.MODELS.values()},
    "Whether to train {} so; false: its release is the model of the first fold.",
)


class Params(Section):
    """All of ``params.yaml``."""

    corpus: Corpus = Corpus()
    demo: Demo = Demo()
    audio: Audio = Audio()
    tracks: Tracks = Tracks()
    features: Features = Features()  # type: ignore[valid-type]
    splits: Splits = Splits()
    models: Models = Models()  # type: ignore[valid-type]
    evaluation: Evaluation = Evaluation()
    naive: Naive = Naive()
    ungrouped: Ungrouped = Ungrouped()
    corpus_size: CorpusSize = CorpusSize()
    unknown: Unknown = Unknown()
    robustness: Robustness = Robustness()
    chain_audit: ChainAudit = ChainAudit()
    exploration: Exploration = Exploration()
    report: Report = Report()
    release: Release = Release()  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        mel, audio = self.at("features.mel"), self.audio
        if audio.min_seconds < mel.window_seconds:
            raise ValueError(
                f"audio.min_seconds ({audio.min_seconds}) is shorter than "
                f"features.mel.window_seconds ({mel.window_seconds}); raise audio.min_seconds"
            )
        if audio.max_seconds < audio.min_seconds:
            raise ValueError(
                f"audio.max_seconds ({audio.max_seconds}) is shorter than "
                f"audio.min_seconds ({audio.min_seconds}); raise audio.max_seconds"
            )
        tables = [e for e in self.at("features.embedding").encoder if e.startswith("table:")]
        if tables and self.robustness.enabled and self._read_by_a_model("embedding"):
            raise ValueError(
                f"features.embedding.encoder holds {tables[0]}, where there is nothing of tracks "
                "after a codec or filter; set robustness.enabled: false"
            )
        nyquist = audio.sample_rate / 2
        if (mel.fmax or nyquist) > nyquist or mel.fmin >= (mel.fmax or nyquist):
            raise ValueError(
                f"features.mel.fmin ({mel.fmin}) and fmax ({mel.fmax}) must satisfy "
                f"fmin < fmax ≤ audio.sample_rate / 2 ({nyquist})"
            )
        return self

    def _read_by_a_model(self, kind: str) -> bool:
        return any(kind in registry.entry(model).reads for model in self.evaluation.models)

    @property
    def is_demo(self) -> bool:
        """Whether the corpus is the synthesised one."""
        return self.corpus.root == DEMO_ROOT

    def outside_data_of(self, model: str) -> tuple[str, ...]:
        """Name the outside data that has a say in a model: pre-trained encoders or weights."""
        sections = [registry.entry(model).section, *(k.section for k in registry.kinds_of(model))]
        return tuple(name for section in sections for name in self.at(section).outside_data)

    def release_of(self, model: str) -> bool:
        """Tell whether a model is trained on all tracks for its release."""
        return bool(getattr(self.release, model))

    def of_training(self, model: str, number: int) -> Params:
        """Return the parameters that a training has: those of the only one with its seed."""
        own = self.at(f"models.{model}")
        seed = (own.seed + number) % 2**32
        trained = own.model_copy(update={"seed": seed, "seeds": 1})
        models: Section = self.models
        return self.model_copy(update={"models": models.model_copy(update={model: trained})})

    def of_family(self, family: str) -> Params:
        """Return the parameters that a family of changes has: those of the only one."""
        own = [change for change in self.robustness.changes if change in FAMILIES[family]]
        alone = self.robustness.model_copy(update={"changes": own})
        return self.model_copy(update={"robustness": alone})

    def at(self, name: str) -> Any:
        """Return the section or value `name`.

        Parameters
        ----------
        name
            Its dotted name, ``"features.mel"``.

        Returns
        -------
        Section or value
            What ``params.yaml`` says there, validated.

        Raises
        ------
        AttributeError
            There is none of that name.

        Examples
        --------
        >>> Params().at("features.mel.n_mels")
        128
        """
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def section(self, name: str) -> dict[str, Any]:
        """Return the section `name` as plain JSON-like values.

        Parameters
        ----------
        name
            Its dotted name, ``"features.mel"``.

        Returns
        -------
        dict
            Every parameter of the section by its name.

        Raises
        ------
        AttributeError
            There is none of that name.

        Examples
        --------
        >>> Params().section("naive")
        {'enabled': True}
        """
        values: dict[str, Any] = self.at(name).model_dump(mode="json")
        return values


class ParamsError(GenreflowError):
    """``params.yaml`` holds something genreflow can't use; the message names the parameter."""


def parse(values: dict[str, Any], source: str = "params.yaml") -> Params:
    """Validate parameters.

    Parameters
    ----------
    values
        What a ``params.yaml`` holds; what is left out has its default.
    source
        How complaints call it.

    Returns
    -------
    Params
        All parameters; they never change.

    Raises
    ------
    ParamsError
        Names every offending parameter, what was found and what is expected.

    Examples
    --------
    >>> parse({"audio": {"max_seconds": 10}}).audio.max_seconds
    10.0
    >>> parse({"audio": {"sample_rate": 8}})
    Traceback (most recent call last):
        ...
    genreflow.params.ParamsError: params.yaml can't be used:
      audio.sample_rate: Input should be greater than or equal to 4000 (found 8)
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = [f"  {_complaint(issue)}" for issue in error.errors(include_url=False)]
        if len(lines) > _MOST_COMPLAINTS:
            lines[_MOST_COMPLAINTS:] = [f"  and {len(lines) - _MOST_COMPLAINTS} more"]
        raise ParamsError(f"{source} can't be used:\n" + "\n".join(lines)) from None


def _complaint(issue: ErrorDetails) -> str:
    parts = [str(part)[:_LONGEST] for part in issue["loc"]]
    name = ".".join(parts) or "parameters"
    if issue["type"] == "extra_forbidden":
        if parts[:-1] == ["models"]:
            return (
                f"{name}: no such model; list it in src/genreflow/registry/__init__.py, install "
                "the package that offers it, or remove the section"
            )
        return f"{name}: no such parameter; {_there_are(parts)}"
    if issue["type"] == "value_error":
        return f"{name}: {issue['msg'].removeprefix('Value error, ')[: 10 * _LONGEST]}"
    return f"{name}: {issue['msg'][: 10 * _LONGEST]} (found {_quoted(issue['input'])})"


def _there_are(parts: list[str]) -> str:
    """Say what was meant by a name that isn't known, or which names its section has."""
    *around, wrong = parts
    if not around and "." in wrong:
        section, _, name = wrong.rpartition(".")
        return f"write {name}: in the section {section}, indented"
    level: Any = Params().at(".".join(around)) if around else Params()
    known = list(type(level).model_fields)
    if meant := get_close_matches(wrong, known, n=1):
        return f"did you mean {meant[0]}?"
    return f"there are {', '.join(known)}"


def _quoted(value: Any) -> str:
    try:
        return _shorten.repr(value)
    except ValueError:  # Python writes no number that is longer than some thousand digits.
        return "a number without end"


class _Loader(yaml.SafeLoader):
    """YAML, but a key may stand once only: PyYAML would take the last and drop the others."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, or refuse what names a key twice (``<<`` may be overridden)."""
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            first = seen.setdefault(key.value, key)
            if first is not key:
                raise ParamsError(
                    f"{_shorten.repr(key.value)} stands twice, in line "
                    f"{first.start_mark.line + 1} and in line {key.start_mark.line + 1}; "
                    "write both as one"
                )
        return super().construct_mapping(node, deep=deep)


def read(path: Path) -> Any:
    """Read what ``params.yaml`` says, whether it is right or not.

    Parameters
    ----------
    path
        Of the file.

    Returns
    -------
    Any
        Its values, by section; without any, an empty dictionary.

    Raises
    ------
    ParamsError
        The file is missing or no YAML, or says something twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ParamsError(
            f"{path}: can't be read ({error.strerror}); `make params` writes it"
        ) from None
    if len(content) > _LARGEST:
        raise ParamsError(
            f"{path}: is larger than {_LARGEST} bytes, which no parameters are; `make params` "
            "writes a new one where there is none"
        )
    try:
        values = yaml.load(content.decode("utf-8-sig"), Loader=_Loader)
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    # Besides its own errors, PyYAML raises ValueError over numbers and dates that can't be.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParamsError(f"{path}: is no YAML: {str(error)[: 10 * _LONGEST]}") from None
    return {} if values is None else values


def load(path: Path) -> Params:
    """Read and validate ``params.yaml``.

    Parameters
    ----------
    path
        Of the file.

    Returns
    -------
    Params
        All parameters; they never change.

    Raises
    ------
    ParamsError
        See :func:`read` and :func:`parse`.

    Examples
    --------
    >>> load(Path("params.yaml")).audio.sample_rate
    22050
    """
    return parse(read(path), source=str(path))
