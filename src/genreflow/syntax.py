"""What source code does, apart from how it is written.

Two sources have the same meaning here if they differ in nothing but comments, docstrings, layout,
quotes, brackets without effect and type annotations. The text that is compared is made from the
syntax tree, node by node, and is the same in Python 3.11, 3.12 and 3.13: :func:`ast.dump` isn't,
because newer versions add fields and leave out empty ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_WITHOUT_EFFECT = {"annotation", "returns", "type_comment", "type_ignores", "kind", "ctx"}
"""Fields of nodes that only describe."""


def meaning(source: str) -> str:
    """Return a text that two sources have in common if they do the same.

    Parameters
    ----------
    source
        A whole Python module.

    Raises
    ------
    SyntaxError
        It is none.
    """
    return "".join(_block(ast.parse(source).body, in_class=False))


def _block(statements: Sequence[ast.stmt], *, in_class: bool) -> Iterator[str]:
    yield "{"
    for statement in statements:
        yield from _statement(statement, in_class=in_class)
    yield "}"


def _statement(node: ast.stmt, *, in_class: bool) -> Iterator[str]:
    if isinstance(node, ast.Pass) or _is_text(node) or _is_future(node):
        return
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.orelse:
            yield from _statement(statement, in_class=in_class)
        return
    if isinstance(node, ast.AnnAssign) and not in_class:
        if node.value is not None:
            plain = ast.Assign(targets=[node.target], value=node.value)
            yield from _node(plain)
        return
    yield from _node(node)


def _node(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield f"{type(node.value).__name__}:{node.value!r};"
        return
    yield f"{type(node).__name__}("
    for name, value in ast.iter_fields(node):
        if name in _WITHOUT_EFFECT or value is None or value == []:
            continue
        yield f"{name}="
        if name == "values" and isinstance(node, ast.JoinedStr):
            yield from _parts(value)
        elif isinstance(value, list) and isinstance(value[0], ast.stmt):
            yield from _block(value, in_class=isinstance(node, ast.ClassDef))
        elif isinstance(value, list):
            for item in value:
                yield from _item(item)
        else:
            yield from _item(value)
    yield ")"


def _item(value: object) -> Iterator[str]:
    if isinstance(value, ast.AST):
        yield from _node(value)
    else:
        yield f"{value!r};"


def _parts(values: Sequence[ast.expr]) -> Iterator[str]:
    """Join neighbouring pieces of text: Python's versions cut f-strings differently."""
    text = ""
    for part in values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        yield from _item(text)
        text = ""
        yield from _node(part)
    yield from _item(text)


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a string on its own: a docstring, or a remark on an attribute."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
