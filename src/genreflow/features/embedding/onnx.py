"""Encoders in ONNX files, each described by a YAML file beside it.

:mod:`genreflow.features.embedding.onnx_input` says what stands in it.

An ONNX file is a graph of known operators: it is computed and executes no code of its own.
Libraries of other operators are never loaded, and weights in files beside it are read from its
folder alone, which ONNX Runtime sees to since 1.24.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from genreflow.features.embedding.encoders import EncoderError
from genreflow.features.embedding.onnx_input import Axis, FromMel, one_line, read_description
from genreflow.features.embedding.sound import Sound, cut
from genreflow.features.rows import Floats
from genreflow.registry.embedding import Embedding

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
_AXES_OF_PATCHES: tuple[Axis, ...] = ("batch", "time", "frequency")
_OLDEST_RUNTIME = (1, 24)
"""Versions before, up to 1.23.2, were seen to read any file of the machine as weights."""
_PATCHES_AT_ONCE = 16


class OnnxEncoder:
    """A network in an ONNX file; it is computed on one core, and the same each time.

    Parameters
    ----------
    path
        ``*.onnx``, with a description of the same name, ``*.yaml``, beside it.
    params
        How much patches overlap.

    Raises
    ------
    EncoderError
        A file is missing or can't be used, or they contradict each other.
    """

    def __init__(self, path: Path, params: Embedding) -> None:
        if not path.is_file():
            raise EncoderError(
                f"{path}: isn't there; expected an ONNX file (features.embedding.encoder)"
            )
        self._path = path
        self._beside = path.with_suffix(".yaml")
        self._is = read_description(self._beside)
        self._overlap = params.overlap
        self._session = _open(path)
        self._input = self._checked_input()
        self._output = self._checked_output()
        axis = self._is.layout.index("batch") if "batch" in self._is.layout else None
        fixed = 1 if axis is None else self._input.shape[axis]
        self._fixed = fixed if isinstance(fixed, int) else None
        n = self._run(self._is.silence()).shape[1]
        self.names = tuple(f"{path.stem} {i}" for i in range(n))

    def embed(self, sound: Sound, track_id: str) -> Floats:
        """Return an embedding of every patch, (patches, n).

        Raises
        ------
        EncoderError
            The network fails, or what it says isn't finite.
        """
        patches = cut(self._is.hear(sound), self._is.patch(), self._overlap)
        vectors = self._run(patches)
        if not np.isfinite(vectors).all():
            raise EncoderError(
                f"{self._path}: its output {self._output} isn't finite for "
                f"{track_id or 'a track'}; compare {self._beside.name} with what the network was "
                "trained on, or take it out of features.embedding.encoder"
            )
        return vectors

    def _checked_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            found = ", ".join(f"{one.name}: {one.type}" for one in inputs) or "none"
            raise EncoderError(
                f"{self._path}: has the inputs {found}; expected one, of floating-point numbers; "
                "export the network with its audio input alone"
            )
        length = {"batch": "batch", "channel": 1, "time": self._is.patch()}
        if isinstance(self._is, FromMel):
            length["frequency"] = self._is.n_mels
        ours = [length[axis] for axis in self._is.layout]
        theirs = inputs[0].shape
        agree = len(ours) == len(theirs) and all(
            axis == "batch" or not isinstance(found, int) or found == made
            for axis, found, made in zip(self._is.layout, theirs, ours, strict=True)
        )
        if not agree:
            raise EncoderError(
                f"{self._path}: its input {inputs[0].name} is {_shown(theirs)}, and "
                f"{self._beside.name} makes {_shown(ours)} ({', '.join(self._is.layout)}); correct "
                "layout, patch_seconds or, of mel spectra, hop_length and n_mels there"
            )
        return inputs[0]

    def _checked_output(self) -> str:
        names = [one.name for one in self._session.get_outputs()]
        if self._is.output is not None and self._is.output not in names:
            raise EncoderError(
                f"{self._beside}: names the output {self._is.output}, and {self._path.name} has "
                f"{', '.join(names)}; write one of these"
            )
        return self._is.output or str(names[0])

    def _run(self, patches: Floats) -> Floats:
        """Return the embeddings of patches, (patches, n)."""
        step = self._fixed or _PATCHES_AT_ONCE
        parts = [self._answer(patches[i : i + step]) for i in range(0, len(patches), step)]
        return np.concatenate(parts)

    def _answer(self, patches: Floats) -> Floats:
        count = len(patches)
        if self._fixed is not None and count < self._fixed:
            rest = np.repeat(patches[-1:], self._fixed - count, axis=0)
            patches = np.concatenate([patches, rest])
        feed = _arranged(patches, self._is.layout).astype(_TYPES[self._input.type])
        try:
            values = np.asarray(self._session.run([self._output], {self._input.name: feed})[0])
        # ONNX Runtime's errors have no base of their own.
        except Exception as error:
            raise EncoderError(
                f"{self._path}: can't be computed for an input of {_shown(feed.shape)} "
                f"({one_line(error)}); compare {self._beside.name} with what the network expects"
            ) from error
        shape = values.shape
        if "batch" not in self._is.layout:
            values = values[np.newaxis]
        is_numbers = values.dtype.kind in "fiu" and values.size > 0
        if not is_numbers or values.ndim < 2 or len(values) != len(patches):
            raise EncoderError(
                f"{self._path}: its output {self._output} is {_shown(shape)} for "
                f"{len(patches)} patches; expected (patches, ..., values); name another output "
                f"in {self._beside.name}, or correct layout there"
            )
        if self._is.values == "first":
            values = np.moveaxis(values, 1, -1)
        values = values[:count].astype(np.float32)
        means: Floats = values.reshape(count, -1, values.shape[-1]).mean(axis=1)  # type: ignore[assignment, unused-ignore]
        return means


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise EncoderError(
            f"{path}: needs ONNX Runtime, which isn't installed; `pip install onnxruntime`, or "
            "genreflow with its extra onnx"
        ) from None
    version = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
    if version < _OLDEST_RUNTIME:
        raise EncoderError(
            f"{path}: isn't opened by ONNX Runtime {onnxruntime.__version__}, which would also "
            "read weights outside its folder; `pip install --upgrade onnxruntime`"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # ONNX Runtime's errors have no base of their own.
    except Exception as error:
        raise EncoderError(
            f"{path}: can't be opened ({one_line(error)}); expected an ONNX file of standard "
            "operators, with weights inside it or beside it; export or download it anew"
        ) from error


def _arranged(patches: Floats, layout: tuple[Axis, ...]) -> Floats:
    """Turn (patches, time) or (patches, time, frequency) into the axes of `layout`."""
    ours = list(_AXES_OF_PATCHES[: patches.ndim])
    if "batch" not in layout:
        patches, ours = patches[0], ours[1:]
    turned = patches.transpose([ours.index(axis) for axis in layout if axis in ours])
    return np.expand_dims(turned, layout.index("channel")) if "channel" in layout else turned


def _shown(shape: Any) -> str:
    return f"({', '.join('?' if length is None else str(length) for length in shape)})"
