"""What an edit reruns: the table that the tests check and that docs/reruns.md shows.

``python -m tests.reruns`` writes the page.
"""

from pathlib import Path

from genreflow.generate import leaves
from genreflow.params import Params

MODELS = list(type(Params().models).model_fields)
PAGE = Path(__file__).parent.parent / "docs/reruns.md"

REPORT = ["report"]
EVALUATE = ["evaluate", *REPORT]


def train(*models: str) -> list[str]:
    return [f"train_{model}" for model in models]


MEL_MODELS = [model for model in MODELS if not model.endswith("_handcrafted")]
TABLE_MODELS = [model for model in MODELS if model.endswith("_handcrafted")]
SPLITS = ["splits", *train(*MODELS), "leakage", *EVALUATE]
TRACKS = ["tracks", *SPLITS]
AUDIO = ["audio", "handcrafted", "mel", *TRACKS]

RERUNS = {
    "corpus.root": AUDIO,
    "corpus.groups": SPLITS,
    "corpus.shards_per_genre": AUDIO,
    "demo": ["demo", *AUDIO],
    "audio": AUDIO,
    "tracks": TRACKS,
    "features.handcrafted": ["handcrafted", *train(*TABLE_MODELS), *EVALUATE],
    "features.mel": ["mel", *train(*MEL_MODELS), "leakage", *EVALUATE],
    "splits": SPLITS,
    **{f"models.{model}": [*train(model), *EVALUATE] for model in MODELS},
    "models.xgb_mel": [*train("xgb_mel"), "leakage", *EVALUATE],
    "evaluation": EVALUATE,
    "report": REPORT,
}
"""Parameter or section → rules that rerun; the longest matching name counts."""

FILES = [
    (
        "an audio file is added, removed, renamed or replaced (whatever its date)",
        "its shard's `audio`, `handcrafted` and `mel`; what reads all shards",
    ),
    ("an audio file is touched, or a file that is no audio comes or goes", "nothing"),
    ("`data/groups.csv` or `data/roles.csv` changes", "`splits` and what follows"),
    ("`params.yaml` is reordered or commented", "nothing"),
    ("a module of the package changes", "the steps that import it and what follows"),
]


def rules_for(leaf: str) -> list[str]:
    """Return the rules that rerun when `leaf` is edited."""
    return RERUNS[max((key for key in RERUNS if f"{leaf}.".startswith(f"{key}.")), key=len)]


def render() -> str:
    """Render docs/reruns.md."""
    lines = [
        "# What an edit reruns",
        "",
        "Edit `params.yaml`, run `snakemake -j8` or `dvc repro`, and only this is made anew. The",
        "table is checked, parameter by parameter, against what both tools say they would do.",
        "",
        "| edit this | these steps rerun |",
        "|---|---|",
    ]
    for name, rules in RERUNS.items():
        parameters = [leaf for leaf, _ in leaves() if f"{leaf}.".startswith(f"{name}.")]
        what = f"`{name}`" if parameters == [name] else f"`{name}.*` ({len(parameters)} parameters)"
        lines.append(f"| {what} | {_shorten(rules)} |")
    lines += ["", "And files:", "", "| when | these steps rerun |", "|---|---|"]
    lines += [f"| {when} | {what} |" for when, what in FILES]
    return "\n".join(lines) + "\n"


def _shorten(rules: list[str]) -> str:
    every, mel, table = train(*MODELS), train(*MEL_MODELS), train(*TABLE_MODELS)
    text = ", ".join(f"`{rule}`" for rule in rules)
    for group, name in (
        (every, "every `train_*`"),
        (mel, "`train_*` of the five mel models"),
        (table, "`train_*` of the two handcrafted models"),
    ):
        text = text.replace(", ".join(f"`{rule}`" for rule in group), name)
    return text


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
