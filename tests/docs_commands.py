"""What stands in the code blocks of the documentation, and how a command line is checked."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import typer
import yaml

from genreflow import generate
from genreflow.cli import app
from tests.conftest import ROOT

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HERE = re.compile(r"<<'(\w+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^[A-Z][A-Z0-9_]*=")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, language and text."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0][:60]}"


@dataclass(frozen=True)
class Command:
    """A command of a block: its words, and what stands in its here-document."""

    page: str
    words: tuple[str, ...]
    document: str = ""

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)[:80]}"


def blocks() -> list[Block]:
    """Collect the blocks of the README and of all pages."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        Block(page.name, language, text)
        for page in pages
        for _, language, text in _FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def commands() -> list[Command]:
    """Collect the commands of all blocks, those of one line that are joined singly."""
    return [
        command
        for block in blocks()
        if block.language in ("bash", "console")
        for command in _commands_of(block)
    ]


def _commands_of(block: Block) -> Iterator[Command]:
    text = block.text
    if block.language == "console":
        text = "\n".join(re.findall(r"^\$ (.*)$", text, re.MULTILINE))
    documents = [document for _, document in _HERE.findall(text)]
    text = _HERE.sub("", text).replace("\\\n", " ")
    for line in re.sub(r"<(\w+)>", r"\1", text).splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        tokens = iter([*lexer, ";"])
        for token in tokens:
            if set(token) <= set(";&|"):
                while words and (words[0] == "time" or _ASSIGNMENT.match(words[0])):
                    del words[0]
                if words:
                    yield Command(block.page, tuple(words), "".join(documents))
                words = []
            elif set(token) <= set("<>"):
                next(tokens)
            else:
                words.append(token)


def check_genreflow(command: Command) -> None:
    parser = typer.main.get_command(app)
    words = list(command.words[1:])
    while hasattr(parser, "commands"):
        parser = parser.commands[words.pop(0)]
    parser.make_context("genreflow", words)


def check_snakemake(command: Command) -> None:
    from snakemake.cli import get_argument_parser

    asked = get_argument_parser().parse_args(
        [word for word in command.words if word != "snakemake"]
    )
    if asked.workflow_profile:
        assert (ROOT / "profiles" / asked.workflow_profile).is_dir()


def check_dvc(command: Command) -> None:
    from dvc.cli import parse_args

    asked = parse_args(list(command.words[1:]))
    changed = {word.partition("=")[0] for word in getattr(asked, "set_param", None) or ()}
    assert changed <= set(generate.leaves())
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    if command.words[1] in ("repro", "push", "pull", "checkout", "status"):
        assert {target.partition("@")[0] for target in asked.targets} <= set(stages)


def check_make(command: Command) -> None:
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    target, *rest = command.words[1:]
    assert target in known
    arguments = [word.removeprefix("ARGS=") for word in rest]
    assert all(word.startswith("ARGS=") for word in rest)
    if target == "run":
        check_snakemake(Command(command.page, ("snakemake", *shlex.split(" ".join(arguments)))))


def check_python(command: Command) -> None:
    first, *rest = command.words[1:]
    if first == "-":
        compile(command.document, command.page, "exec")
        return
    source = (ROOT / first).read_text(encoding="utf-8")
    for option in (word for word in rest if word.startswith("--")):
        by_typer = f"{option[2:].replace('-', '_')}: Annotated["
        assert f'"{option}"' in source or by_typer in source


def check_pip(command: Command) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"(?:\.|genreflow)\[(\w+)\]", " ".join(command.words)):
        assert extra in project["optional-dependencies"]


def check_git(command: Command) -> None:
    listed = ["git", "--list-cmds=main"]
    known = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    assert command.words[1] in known


def check_conda(command: Command) -> None:
    files = {path.name: path.read_text("utf-8") for path in ROOT.glob("environment*.yml")}
    if command.words[1] == "activate":
        names = [yaml.safe_load(text)["name"] for text in files.values()]
        assert command.words[2] in names
    else:
        assert command.words[1:4] == ("env", "create", "-f")
        assert command.words[4] in files


def check_sed(command: Command) -> None:
    """Nothing is edited, but the edit must find what it changes."""
    path = ROOT / command.words[-1]
    if not path.exists():
        assert command.page in FOLLOWED, "a file that the page has one write"
        return
    words = [word for word in command.words if word != "-i"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout != path.read_text(encoding="utf-8")


FOLLOWED = ("add-a-model.md", "bring-your-own-model.md")
"""Pages that test_docs_models.py carries out as they stand."""

CHECKS: dict[str, Callable[[Command], None]] = {
    "conda": check_conda,
    "dvc": check_dvc,
    "genreflow": check_genreflow,
    "git": check_git,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "sed": check_sed,
    "snakemake": check_snakemake,
    "--shared-fs-usage": check_snakemake,  # options that a page adds to a command before
    "uv": check_pip,
}
