"""Answers as people, programs and spreadsheets read them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from genreflow.columns import OF_ANSWERS, OF_STRETCHES, column_of
from genreflow.prediction.answer import Answer, Part, best
from genreflow.store.cells import guarded

UNFAMILIAR = "unfamiliar"
"""What stands for the genre of a sound that is too little like the corpus."""
UNSURE = "unsure"
"""What stands for the genre where the most probable one isn't probable enough."""


@dataclass(frozen=True)
class Style:
    """How answers are shown.

    Attributes
    ----------
    top
        Genres that are named, the most probable first; None for one, or where there is room all.
    timeline
        Whether stretches are shown instead of the whole.
    least
        Probability below which the genre is :data:`UNSURE`.
    model
        Which classifier answered, and what it was told.
    strange
        Familiarity below which the genre is :data:`UNFAMILIAR`.
    """

    top: int | None = None
    timeline: bool = False
    least: float = 0.0
    model: str = ""
    strange: float = 0.0

    def named(self, genre: str, probability: float, familiarity: float | None) -> str:
        """Return the genre if it is probable, and the sound familiar, enough."""
        if familiarity is not None and familiarity < self.strange:
            return UNFAMILIAR
        return genre if probability >= self.least else UNSURE


def as_text(answer: Answer, style: Style) -> str:
    """Return a line, or one for each stretch; "" where the file can't be used."""
    if answer.reason:
        return ""
    path = printable(answer.path)
    if not style.timeline:
        return f"{path}: {_named(answer.top(style.top or 1), answer.familiarity, style)}\n"
    return "".join(
        f"{path} {_clock(part.start)}-{_clock(part.end)}: {_of_part(answer, part, style)}\n"
        for part in answer.parts
    )


def _of_part(answer: Answer, part: Part, style: Style) -> str:
    if part.probabilities is None:
        return "silent"
    return _named(best(answer.genres, part.probabilities, style.top or 1), part.familiarity, style)


def _named(top: Sequence[tuple[str, float]], familiarity: float | None, style: Style) -> str:
    (genre, probability), *others = top
    if (named := style.named(genre, probability, familiarity)) != genre:
        return f"{named} ({', '.join(f'{name} {share:.0%}' for name, share in top)})"
    if not others and style.top is None:
        return f"{genre} ({probability:.0%})"
    return ", ".join(f"{name} {share:.0%}" for name, share in top)


def as_json(answer: Answer, style: Style) -> str:
    """Return an object on a line of its own; of a file that can't be used it holds the reason."""
    told: dict[str, Any] = {"path": answer.path}
    if answer.reason:
        told["reason"] = answer.reason
    else:
        told["seconds"] = round(answer.seconds, 3)
        told |= _object(answer.top(style.top or len(answer.genres)), answer.familiarity, style)
        if style.timeline:
            told["timeline"] = [_stretch(answer, part, style) for part in answer.parts]
        told["model"] = style.model
    return _json(told)


def _stretch(answer: Answer, part: Part, style: Style) -> dict[str, Any]:
    told: dict[str, Any] = {"start": round(part.start, 3), "end": round(part.end, 3)}
    if part.probabilities is None:
        return told | {"genre": None}
    count = style.top or len(answer.genres)
    top = best(answer.genres, part.probabilities, count)
    return told | _object(top, part.familiarity, style)


def _object(
    top: Sequence[tuple[str, float]], familiarity: float | None, style: Style
) -> dict[str, Any]:
    genre, probability = top[0]
    told: dict[str, Any] = {
        "genre": style.named(genre, probability, familiarity),
        "probability": round(probability, 4),
        "probabilities": {name: round(share, 4) for name, share in top},
    }
    return told if familiarity is None else told | {"familiarity": round(familiarity, 4)}


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name that is no text
        text = json.dumps(value)
    return f"{text}\n"


def header(genres: Sequence[str], style: Style) -> list[str]:
    """Return the names of the columns of a CSV."""
    before = OF_STRETCHES if style.timeline else OF_ANSWERS
    return [*before, *(guarded(column_of(genre)) for genre in genres)]


def as_csv(answer: Answer, style: Style) -> str:
    """Return the rows of a file: one, or one for each of its stretches."""
    return csv_lines(_rows(answer, style))


def _rows(answer: Answer, style: Style) -> Iterator[list[str]]:
    path, reason, model = map(guarded, (answer.path, answer.reason, style.model))
    nothing = [""] * len(answer.genres)
    if answer.reason:
        where = ["", ""] if style.timeline else [""]
        yield [path, *where, "", "", reason, model, *nothing]
    elif style.timeline:
        for part in answer.parts:
            where = [f"{part.start:.3f}", f"{part.end:.3f}"]
            if part.probabilities is None:
                yield [path, *where, "", "", "", model, *nothing]
            else:
                cells = _cells(answer, part.probabilities, part.familiarity, style)
                yield [path, *where, *cells]
    else:
        cells = _cells(answer, answer.probabilities, answer.familiarity, style)
        yield [path, f"{answer.seconds:.3f}", *cells]


def _cells(
    answer: Answer, probabilities: Any, familiarity: float | None, style: Style
) -> list[str]:
    ((genre, probability),) = best(answer.genres, probabilities)
    named = guarded(style.named(genre, probability, familiarity))
    shares = [f"{share:.4f}" for share in probabilities]
    return [named, f"{probability:.4f}", "", guarded(style.model), *shares]


def csv_lines(rows: Iterator[list[str]] | Sequence[list[str]]) -> str:
    """Return rows as CSV, in quotes where they need some."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def printable(path: str) -> str:
    """Return a path for a line on a terminal: what can't be shown, such as its control, escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
