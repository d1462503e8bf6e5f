"""What is generated from the parameter models: the default ``params.yaml`` and its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from genreflow.params import Params, Section

_HEADER = """\
# Every knob of genreflow, with its default. Edit, then run `snakemake -j8` or `dvc repro`:
# only what depends on the edited section is made anew (docs/reruns.md lists what that is).
"""


def default_yaml() -> str:
    """Render the default ``params.yaml``: each key with its description as a comment."""
    return _HEADER + "\n".join(_lines(Params(), indent=0)) + "\n"


def json_schema() -> str:
    """Render the JSON schema of ``params.yaml``, for editors that complete and check it."""
    schema = Params.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def leaves(section: Section | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every parameter as (dotted name, default)."""
    section = section or Params()
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _lines(section: Section, indent: int) -> Iterator[str]:
    margin = "  " * indent
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            summary = (type(value).__doc__ or "").splitlines()[0]
            yield from ([""] if indent == 0 else [])
            yield f"{margin}{name}: # {summary}"
            yield from _lines(value, indent + 1)
        else:
            yield f"{margin}{name}: {_scalar(value)} # {field.description}"


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def _write() -> None:
    """Write both files into the current repository; existing values are reset to defaults."""
    Path("params.yaml").write_text(default_yaml(), encoding="utf-8")
    Path("workflow/schemas/params.schema.json").write_text(json_schema(), encoding="utf-8")


if __name__ == "__main__":
    _write()
