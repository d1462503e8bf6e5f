"""What is generated: ``make params`` writes it, and a test fails where it is out of date.

``params.yaml`` (a user's values survive) and its schema come from the parameter classes,
docs/reruns.md from the table of steps, and the README's table of models from the registry.
:mod:`genreflow.reference` makes the page of all parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from genreflow.errors import GenreflowError
from genreflow.nested import flatten
from genreflow.params import Params, load
from genreflow.registry import BASELINE, BUILT_IN, FEATURES, MODELS
from genreflow.section import Section
from genreflow.steps import STEPS, Step, downstream
from genreflow.store.files import write_text

PARAMS = Path("params.yaml")
SCHEMA = Path("workflow/schemas/params.schema.json")
RERUNS = Path("docs/reruns.md")
README = Path("README.md")

_PARAMS_HEADER = f"""\
# yaml-language-server: $schema={SCHEMA}
# Every knob of genreflow. Edit, then run `snakemake -j8` or `dvc repro`: only what depends on the
# edited section is made anew (docs/reruns.md lists what that is).
"""

_RERUNS_HEADER = """\
# What an edit reruns

Edit `params.yaml`, run `snakemake -j8` or `dvc repro`, and only this is made anew. `make params`
makes this page from the table of steps (`src/genreflow/steps.py`); the tests check it, parameter by
parameter and module by module, against what both tools say they would do.

| edit this | these steps rerun |
|---|---|
"""

_OF_SHARDS = ", ".join(
    f"`{step.name}`" for step in STEPS.values() if step.per == "shard" and step.name != "audio"
)

_FILES = f"""
And files:

| when | these steps rerun |
|---|---|
| an audio file is added, removed, renamed or replaced (whatever its date) | its shard's `audio`, \
{_OF_SHARDS}; what reads all shards |
| an audio file is touched, or a file that is no audio comes or goes | nothing |
| `data/groups.csv` or `data/roles.csv` changes | `splits` and what follows |
| `data/labels.csv` gives a track another genre | the `audio` of both genres, \
{_OF_SHARDS}; what reads all shards |
| it gives a track another group or role | `splits` and what follows |
| a sound in `unknown.folder` is added, removed, renamed or replaced | `strangers`, `unknown`, \
`report` |
| `params.yaml` is reordered or commented | nothing |
| a module of the package changes in comments, docstrings, layout or annotations | nothing |
| it changes in what it does | the steps whose code imports it, and what follows |
| a parameter's range or description changes | nothing |
| a parameter's default, or a model's title or description changes | `report`, which shows them |

On the command line, a single parameter is set with
`snakemake --config 'corpus={{root: my-music}}'` (Snakemake knows no dotted names there).
"""

_BEGIN, _END = "<!-- made by `make params` -->", "<!-- end -->"


def params_yaml(params: Params | None = None) -> str:
    """Render ``params.yaml``: each key with its description as a comment."""
    return _PARAMS_HEADER + "\n".join(_lines(params or Params(), indent=0)) + "\n"


def json_schema() -> str:
    """Render the JSON schema of ``params.yaml``, for editors that complete and check it."""
    schema = Params.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def leaves() -> dict[str, Any]:
    """Return every parameter's default by its dotted name."""
    return flatten(Params().model_dump(mode="json"))


def reruns(name: str) -> list[str]:
    """List the steps that rerun when a parameter or section is edited, in their order."""
    own = {step.name for step in STEPS.values() if _reads(step, name)}
    found = downstream(own)
    return [step for step in STEPS if step in found]


def reruns_page() -> str:
    """Render docs/reruns.md."""
    parameters = leaves()
    lines = []
    for name in _sections():
        inner = [leaf for leaf in parameters if f"{leaf}.".startswith(f"{name}.")]
        number = "1 parameter" if len(inner) == 1 else f"{len(inner)} parameters"
        what = f"`{name}`" if inner == [name] else f"`{name}.*` ({number})"
        lines.append(f"| {what} | {shortened(reruns(name))} |")
    return _RERUNS_HEADER + "\n".join(lines) + "\n" + _FILES


def shortened(steps: list[str]) -> str:
    """Name steps in one line, each group of models that is there as a whole by a word."""
    by_features = {
        kind: [m.step for m in BUILT_IN.values() if m.reads == (kind,)] for kind in FEATURES
    }
    groups = [
        ([m.step for m in MODELS.values()], "every `train_*`"),
        ([m.robustness_step for m in MODELS.values()], "every `robustness_*`"),
        ([m.refit_step for m in MODELS.values()], "every `refit_*`"),
        *(
            (names, f"`train_*` of the {len(names)} models on {FEATURES[kind].title}")
            for kind, names in by_features.items()
        ),
    ]
    for names, words in groups:
        if len(names) > 1 and set(names) <= set(steps):
            place = steps.index(names[0])
            steps = [step for step in steps if step not in names]
            steps.insert(place, words)
    return ", ".join(step if " " in step else f"`{step}`" for step in steps)


def models_table() -> str:
    """Render the README's table of models."""
    lines = ["| model | reads | what it is |", "|---|---|---|"]
    for entry in BUILT_IN.values():
        mark = "; **the baseline**" if entry.name == BASELINE else ""
        summary = entry.summary.rstrip(".")
        reads = " and ".join(FEATURES[kind].title for kind in entry.reads)
        lines.append(f"| `{entry.name}` | {reads} | {summary}{mark} |")
    return "\n".join(lines)


def readme(text: str) -> str:
    """Return the README with its table of models made anew."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{models_table()}\n\n{_END}{after}"


def _reads(step: Step, name: str) -> bool:
    """Tell whether `name` is among a step's own parameters, or holds or lies in one of them."""
    own = (*step.sections, *step.settings)
    return any(f"{name}.".startswith(f"{one}.") or one.startswith(f"{name}.") for one in own)


def _sections() -> list[str]:
    """Name all sections and settings of steps, in the order of ``params.yaml``."""
    order = list(leaves())
    names = {name for step in STEPS.values() for name in (*step.sections, *step.settings)}

    def place(name: str) -> tuple[int, str]:
        # A section, and a parameter of it that some step reads alone, may begin at the same place.
        first = next(i for i, leaf in enumerate(order) if f"{leaf}.".startswith(f"{name}."))
        return first, name

    return sorted(names, key=place)


def _lines(section: Section, indent: int) -> Iterator[str]:
    margin = "  " * indent
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from ([""] if indent == 0 else [])
            yield f"{margin}{name}: # {type(value).summary()}"
            yield from _lines(value, indent + 1)
        else:
            yield f"{margin}{name}: {_scalar(value)} # {field.description}"


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def write_all() -> None:
    """Write everything into the current repository; the values in ``params.yaml`` are kept.

    Raises
    ------
    GenreflowError
        The current folder is no clone of genreflow's repository. Nothing is written.
    """
    params = load(PARAMS) if PARAMS.exists() else None
    if not README.is_file():
        raise GenreflowError(
            f"{README}: not found in {Path.cwd()}; expected a clone of genreflow's repository, "
            "whose files are made anew. Change into one, and run `make params` there."
        )
    write_text(params_yaml(params), PARAMS)
    write_text(json_schema(), SCHEMA)
    write_text(reruns_page(), RERUNS)
    write_text(readme(README.read_text(encoding="utf-8")), README)
