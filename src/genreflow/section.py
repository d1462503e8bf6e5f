"""What every section of ``params.yaml`` has in common, and the types that many of them use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What all the libraries take; some would end in a traceback beyond."""
Fraction = Annotated[float, Field(gt=0, lt=1)]


def written_out(path: str) -> str:
    """Refuse a path that only a shell would complete.

    Such a path isn't completed here either: DVC reads the same ``params.yaml``, and wouldn't.
    """
    home, slash, rest = path.partition("/")
    if home in {"~", "$HOME", "${HOME}"}:
        meant = Path.home() / rest if slash else Path.home()
        raise ValueError(f"{home} is not replaced in params.yaml; write {meant}")
    return path


FilePath = Annotated[str, AfterValidator(written_out)]
"""Of a file or folder of the user's."""


class Section(BaseModel):
    """A section of ``params.yaml``: unknown keys are errors and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring, which says what the section is for."""
        return (cls.__doc__ or "").splitlines()[0]

    @property
    def files(self) -> dict[str, Path]:
        """Name files of the user's that something is made with, by what they are for."""
        return {}

    @property
    def needed(self) -> list[Path]:
        """List files and folders that a prediction needs, too."""
        return []

    @property
    def missing(self) -> list[Path]:
        """List files that something would be made with, and that aren't there."""
        return []

    def located(self, folder: Path) -> Self:  # noqa: ARG002
        """Return the section with the files that it names looked for in a folder, by their names.

        Whatever is not there is looked for where it was.
        """
        return self

    @property
    def outside_data(self) -> tuple[str, ...]:
        """Name what other data than the corpus has a say: what something was pre-trained on."""
        return ()
