"""docs/reference-artifacts.md names every file of a run, and all that is in them, with its type."""

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatch

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genreflow.features.handcrafted.extract import row_names
from genreflow.registry import ENSEMBLES, MODELS
from genreflow.registry.handcrafted import Handcrafted
from tests.conftest import ROOT, TINY_GENRES
from tests.synthetic_features import GENRES, make_corpus

PAGE = ROOT / "docs/reference-artifacts.md"
ARROW = {
    "large_string": "string",
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
STANDS_FOR = {
    "<genre>": {*TINY_GENRES, *GENRES},
    "<feature>": {*row_names(Handcrafted())},
    "<model>": {*MODELS, *ENSEMBLES},
    "<level>": {"track", "window"},
    "<set>": {"chain", "level"},
}
"""What some placeholders may be; the others are names of any kind."""

JSON = {str: "string", bool: "bool", int: "int", float: "float", type(None): "null"}


@dataclass
class Row:
    """A column, member or key: its name or path, and its type."""

    path: tuple[str, ...]
    type: str
    found: bool = False

    @property
    def placeholders(self):
        return sum(part.startswith("<") for part in self.path)

    def covers(self, path):
        long_enough = len(path) == len(self.path) or (
            self.type == "any" and len(path) > len(self.path)
        )
        pairs = zip(self.path, path, strict=False)
        return long_enough and all(
            one in STANDS_FOR.get(of, {one}) if of.startswith("<") else one == of
            for of, one in pairs
        )


@dataclass
class Section:
    """What the page says of some files."""

    files: list[str]
    rows: list[Row] = field(default_factory=list)
    found: set[str] = field(default_factory=set)

    def file_of(self, name):
        """Return the pattern that a file goes by; None where it is of another section."""
        for pattern in self.files:
            placeholder = re.sub("<[a-z]+>", "[^/]+", re.escape(pattern))
            if re.fullmatch(placeholder, name):
                return pattern
        return None

    def compare(self, contents, where):
        """Find the row of everything that a file holds, and compare the types."""
        for path, kind in contents:
            covering = [row for row in self.rows if row.covers(path)]
            assert covering, f"{where}: {'.'.join(path)} is not on the page"
            row = min(covering, key=lambda row: row.placeholders)
            assert row.type in ("any", kind) or kind in ("", "list of "), (
                f"{where}: {'.'.join(path)} is {kind}, and {row.type} on the page"
            )
            row.found = True


def _counted(kind):
    """Turn the axes of an array, which the page names, into their number."""
    kind, bracket, axes = kind.rstrip(")").partition("(")
    return f"{kind}{len(axes.split(', ')) if axes else 0}" if bracket else kind


def page():
    """Read the sections of the page by their headings; the last ones have no files."""
    sections = {}
    for part in re.split("^##+ ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        section = Section(re.findall("`(results/[^`]+[^`/])`", part))
        for line in body.splitlines():
            if line.startswith("| `") and "`results/" not in line:
                names, kind, *_ = [cell.strip() for cell in line.strip("|").split("|")]
                for name in re.findall("`([^`]+)`", names):
                    section.rows.append(Row(tuple(name.split(".")), _counted(kind)))
        sections[heading] = section
    return sections


def _arrow_type(kind):
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {_arrow_type(kind.value_type)}"
    return ARROW.get(str(kind), str(kind))


def _json_type(value):
    if isinstance(value, list):
        return f"list of {JSON[type(value[0])] if value else ''}"
    return JSON[type(value)]


def _leaves(value, path=()):
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, "" if value == {} else _json_type(value)


def _csv_type(name, values):
    """Say what all values of a column read as; "" where there are none."""
    values = values[values != ""]
    if values.empty:
        return ""
    if values.isin(["True", "False"]).all():
        return "bool"
    numbers = pd.to_numeric(values, errors="coerce").notna().all()
    return "number" if numbers and name != "fold" else "string"


def _of_csv(path, section):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name, values in table.items():
        kind = _csv_type(name, values)
        if kind == "number":
            # A column of floats may happen to hold whole numbers alone.
            said = {row.type for row in section.rows if row.path == (name,)}
            whole = values[values != ""].str.fullmatch(r"-?\d+").all()
            kind = "int" if whole and "int" in said else "float"
        yield (name,), kind


def _schema(path):
    if path.suffix == ".parquet":
        return pq.read_schema(path)
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).schema


def contents(path, section):
    """Yield the name and type of every column, member or key of a file."""
    if path.suffix in (".parquet", ".arrow"):
        yield from (((column.name,), _arrow_type(column.type)) for column in _schema(path))
    elif path.suffix == ".npz":
        with np.load(path) as archive:
            for name, values in archive.items():
                kind = "string" if values.dtype.kind == "U" else str(values.dtype)
                yield (name,), f"{kind}, {values.ndim}"
    elif path.suffix == ".csv":
        yield from _of_csv(path, section)
    else:
        yield from _leaves(json.loads(path.read_text(encoding="utf-8")))


def stamp_of(path):
    """Return what a file says of itself; None where it carries no stamp."""
    if path.suffix in (".parquet", ".arrow"):
        return json.loads(_schema(path).metadata[b"genreflow"])
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return json.loads(str(archive["stamp"])) if "stamp" in archive else None
    return None


def compare(results, sections):
    """Compare all files below a folder of results with the page; return those that it lacks."""
    unknown = []
    for path in sorted(results.rglob("*")):
        name = f"results/{path.relative_to(results).as_posix()}"
        if path.is_dir() or path.name.startswith(".") or name.startswith("results/logs/"):
            continue
        described = [section for section in sections.values() if section.file_of(name)]
        if len(described) != 1:
            unknown.append(name)
            continue
        (section,) = described
        section.found.add(section.file_of(name))
        if section.rows:
            section.compare(contents(path, section), name)
        stamp = stamp_of(path)
        if stamp and stamp["facts"]:
            sections["Facts"].compare(_leaves({stamp["kind"]: stamp["facts"]}), name)
    return unknown


@pytest.fixture
def embeddings(tmp_path):
    """A folder of results with embeddings, which a plain run doesn't have."""
    features = make_corpus(tmp_path / "corpus").folder / "features/embedding"
    (tmp_path / "results/features").mkdir(parents=True)
    features.rename(tmp_path / "results/features/embedding")
    return tmp_path / "results"


@pytest.mark.workflow
def test_the_page_and_a_finished_run_say_the_same(built, embeddings):
    sections = page()
    assert compare(built.folder / "results", sections) == ["results/README.md"]
    assert compare(embeddings, sections) == []
    for heading, section in sections.items():
        if section.files:
            assert section.found == set(section.files), "described, and not there"
        if section.files or heading == "Facts":
            gone = [".".join(row.path) for row in section.rows if not row.found]
            assert not gone, f"{heading}: described, and not there"


def test_every_handcrafted_feature_has_a_unit():
    patterns = [".".join(row.path) for row in page()["Units of handcrafted features"].rows]
    plain = Handcrafted(statistics="plain", skip_silence=False)
    names = {*row_names(Handcrafted()), *row_names(plain)}
    assert not [name for name in names if not any(fnmatch(name, of) for of in patterns)]
    assert not [of for of in patterns if not any(fnmatch(name, of) for name in names)]
