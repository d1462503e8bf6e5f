"""ONNX Runtime Web from its npm package, to be put into a page."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genreflow.export.error import ExportError

PACKAGE = "onnxruntime-web"
INSTALLED = Path("node_modules") / PACKAGE

_SCRIPT, _WASM = "dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"
"""The smallest build of those in the package; it computes on the processor."""

_LARGEST = 100_000_000


@dataclass(frozen=True)
class Runtime:
    """A runtime.

    Attributes
    ----------
    version
        Of the package.
    script
        An ECMAScript module.
    wasm
        What it runs.
    """

    version: str
    script: bytes
    wasm: bytes


def read_runtime(source: Path | None) -> Runtime:
    """Read the runtime.

    Parameters
    ----------
    source
        The package as a folder, or as the archive that ``npm pack`` writes. None: where
        ``npm install`` puts it below the current folder.

    Raises
    ------
    ExportError
        It isn't there, or is another package, or one without these files.
    """
    path = source or INSTALLED
    try:
        if path.is_dir():
            return _read(lambda name: (path / name).read_bytes())
        with tarfile.open(path) as archive:
            return _read(lambda name: _member(archive, name))
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        raise ExportError(
            f"{path}: holds no {PACKAGE} with {_SCRIPT} and {_WASM} ({error}); run "
            f"`npm pack {PACKAGE}` and name the archive (--runtime), or `npm install {PACKAGE}`"
        ) from None


def _read(read: Callable[[str], bytes]) -> Runtime:
    package = json.loads(read("package.json"))
    if package.get("name") != PACKAGE:
        raise ValueError(f"is the package {package.get('name')}")
    return Runtime(str(package["version"]), read(_SCRIPT), read(_WASM))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/{name}")
    if file is None:
        raise ValueError(f"{name} is no file")
    with file:
        return file.read(_LARGEST)
