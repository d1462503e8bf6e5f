"""The page of all parameters: defaults, what is taken, what it means and what an edit reruns.

``make params`` writes docs/parameters.md from the schema of ``params.yaml`` and the table of steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from genreflow.generate import reruns, shortened
from genreflow.params import Params
from genreflow.store.files import write_text

PAGE = Path("docs/parameters.md")

_HEADER = """\
# Parameters

All of `params.yaml`: a table for each section, with its default, what is taken, and what it means.
Above a table stands what an edit reruns; where the parameters of a section differ in that, it has
several. [What an edit reruns](reruns.md) says the same by section, and for files. A wrong value is
refused by its name before anything runs. `make params` makes this page from the classes that check
the file.
"""

_WORDS = {"boolean": "`true` or `false`", "string": "text", "null": "`null`"}
_NUMBERS = {"integer": "whole number", "number": "number"}
_BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)

Schema = Mapping[str, Any]


def parameters_page() -> str:
    """Render docs/parameters.md."""
    schema = Params.model_json_schema()
    lines = [_HEADER]
    for section, summary, rows in _sections(schema, schema["$defs"], ""):
        lines += [f"## `{section}`", "", summary, ""]
        found = [(reruns(f"{section}.{name}"), name, field) for name, field in rows]
        for steps, same in groupby(found, itemgetter(0)):
            lines += [f"An edit reruns {shortened(steps)}.", ""]
            lines += ["| parameter | default | taken | meaning |", "|---|---|---|---|"]
            lines += [_row(section, name, field) for _, name, field in same]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def taken(schema: Schema) -> str:
    """Say in words which values a field's JSON schema takes."""
    if "anyOf" in schema:
        return " or ".join(taken(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"])
    if "const" in schema:
        return _code(schema["const"])
    kind = schema["type"]
    if kind == "array":
        return _list_of(schema)
    if kind in _NUMBERS:
        bounds = [f"{words} {schema[name]:,}" for name, words in _BOUNDS if name in schema]
        return ", ".join([_NUMBERS[kind], *bounds])
    return _WORDS[kind]


def write_parameters() -> None:
    """Write the page into the current repository."""
    write_text(parameters_page(), PAGE)


def _sections(
    schema: Schema, classes: Mapping[str, Schema], name: str
) -> Iterator[tuple[str, str, list[tuple[str, Schema]]]]:
    """Yield the sections that hold parameters, with their summaries, in the order of the file."""
    rows: list[tuple[str, Schema]] = []
    inner: list[tuple[str, Schema]] = []
    for key, field in schema["properties"].items():
        if "$ref" in field:
            inner.append((key, classes[field["$ref"].rpartition("/")[2]]))
        else:
            rows.append((key, field))
    if rows:
        yield name, schema["description"].splitlines()[0], rows
    for key, section in inner:
        yield from _sections(section, classes, f"{name}.{key}".lstrip("."))


def _row(section: str, name: str, field: Schema) -> str:
    cells = (
        f"`{section}.{name}`",
        _code(field["default"]),
        taken(field),
        field["description"],
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _list_of(schema: Schema) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if least == most:
        number = f" of {least}"
    elif most is not None:
        number = f" of {least} to {most}"
    else:
        number = f" of at least {least}" if least else ""
    return f"list{number}: {taken(schema['items'])}"


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}`"
