"""Encoders of Hugging Face's transformers: AST, CLAP, and those that hear amplitudes.

The encoder is a folder, or the name of a repository. Like anything by that name it comes from the
local cache or, where it isn't there yet, is downloaded by transformers into it, also by a job;
``HF_HUB_OFFLINE=1`` forbids that. What stands behind a name can change, and no rerun follows from
it: a folder (``hf download NAME --local-dir FOLDER``) stays what it is, and its files count.

Nothing of it is executed: code that comes with a model is refused, weights are read as safetensors
alone (pickles run whatever their maker wished), and kernels aren't fetched.

References
----------
T. Wolf et al., "Transformers: state-of-the-art natural language processing", EMNLP 2020.
Y. Gong, Y.-A. Chung, J. Glass, "AST: audio spectrogram transformer", Interspeech 2021.
Y. Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation", ICASSP 2023 (CLAP).
A. Baevski et al., "wav2vec 2.0: a framework for self-supervised learning of speech
representations", NeurIPS 2020; Y. Li et al., "MERT", ICLR 2024 (amplitudes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.features.embedding.encoders import EncoderError
from genreflow.features.embedding.sound import Sound, cut
from genreflow.features.rows import Floats
from genreflow.registry.embedding import Embedding

_DEFAULT_SECONDS = 5.0
_PATCHES_AT_ONCE = 4
_AST_FRAME, _AST_HOP = 0.025, 0.010
_UNUSED_WEIGHTS = ("masked_spec_embed",)
"""Weights that many files lack, and that only training needs."""
_NO_CONVERSION = "DISABLE_SAFETENSORS_CONVERSION"
_LONGEST = 400


class HubEncoder:
    """A model of transformers, in single precision and on one core (of all that uses PyTorch).

    Its embedding is, of CLAP, that of the audio, beside which texts lie; of a model that pools its
    states by weights of its own (AST: its two tokens for the whole patch), what it pools; of all
    others (wav2vec 2.0, HuBERT), the mean of the last hidden state over time.

    CLAP and AST hear as much at a time as they were made for (usually 10 s), all others 5 s.

    Parameters
    ----------
    name
        A folder, or a repository like ``laion/clap-htsat-unfused``.
    params
        How much patches overlap.

    Raises
    ------
    EncoderError
        transformers or PyTorch isn't installed, there is no such model, or it can't be used.
    """

    def __init__(self, name: str, params: Embedding) -> None:
        self._torch, transformers = _libraries(name)
        self._torch.set_num_threads(1)
        self._name = name
        self._overlap = params.overlap
        read_only = {"trust_remote_code": False}
        with self._explained("its configuration"):
            config = transformers.AutoConfig.from_pretrained(name, **read_only)
            self._extractor = transformers.AutoFeatureExtractor.from_pretrained(name, **read_only)
        rate = getattr(self._extractor, "sampling_rate", None)
        if not isinstance(rate, int):
            raise EncoderError(
                f"hf:{name}: has no sampling rate ({type(self._extractor).__name__}), so it hears "
                "no audio; name another model in features.embedding.encoder"
            )
        self._rate = rate
        with self._explained("its weights as safetensors"), _without_conversion():
            model, loaded = transformers.AutoModel.from_pretrained(
                name,
                config=config,
                use_safetensors=True,
                dtype=self._torch.float32,
                # A configuration can name kernels to be fetched; this overrules it.
                attn_implementation="eager",
                output_loading_info=True,
                **read_only,
            )
        missing = sorted(key for key in loaded["missing_keys"] if not key.endswith(_UNUSED_WEIGHTS))
        if missing:
            raise EncoderError(
                f"hf:{name}: its file lacks {len(missing)} weights of {type(model).__name__} "
                f"({missing[0]}, ...), which would be random; take a model with all of them"
            )
        self._model = model.eval()
        self._is_clap = config.model_type == "clap"
        self._patch = round(_patch_seconds(self._extractor) * rate)
        n = self._vectors(np.zeros((1, self._patch), dtype=np.float32)).shape[1]
        self.names = tuple(f"{Path(name).name} {i}" for i in range(n))

    def embed(self, sound: Sound, track_id: str) -> Floats:
        """Return an embedding of every patch, (patches, n).

        Raises
        ------
        EncoderError
            The model fails, or what it says isn't finite.
        """
        patches = cut(sound.at(self._rate), self._patch, self._overlap)
        vectors = np.concatenate(
            [
                self._vectors(patches[start : start + _PATCHES_AT_ONCE])
                for start in range(0, len(patches), _PATCHES_AT_ONCE)
            ]
        )
        if not np.isfinite(vectors).all():
            raise EncoderError(
                f"hf:{self._name}: an embedding of {track_id or 'a track'} isn't finite; take the "
                "model out of features.embedding.encoder"
            )
        return vectors

    def _vectors(self, patches: Floats) -> Floats:
        """Return the embeddings of patches, (patches, n)."""
        try:
            heard = self._extractor(list(patches), sampling_rate=self._rate, return_tensors="pt")
            # Of short patches, CLAP's extractor declares a random one to be longer.
            if "is_longer" in heard:
                heard["is_longer"] = self._torch.zeros_like(heard["is_longer"])
            with self._torch.inference_mode():
                vectors = self._pooled(heard).numpy()
        # What a model raises over audio that isn't meant for it is documented nowhere.
        except Exception as error:
            raise EncoderError(
                f"hf:{self._name}: {type(self._model).__name__} makes no embedding of "
                f"{self._patch} samples ({_one_line(error)}); expected an audio encoder like AST, "
                "CLAP or wav2vec 2.0"
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(patches):
            raise EncoderError(
                f"hf:{self._name}: {type(self._model).__name__} makes {vectors.shape} of "
                f"{len(patches)} patches; expected (patches, values)"
            )
        return np.asarray(vectors, dtype=np.float32)

    def _pooled(self, heard: Any) -> Any:
        if self._is_clap:
            found = self._model.get_audio_features(**heard)
            return found.pooler_output
        found = self._model(**heard)
        pooled = getattr(found, "pooler_output", None)
        return found.last_hidden_state.mean(dim=1) if pooled is None else pooled

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        # transformers documents none of its errors; these are as many as its files can be wrong.
        except Exception as error:
            if "trust_remote_code" in str(error):
                raise EncoderError(
                    f"hf:{self._name}: comes with code of its own, which genreflow doesn't run; "
                    "name a model that transformers knows, or export this one (onnx:FILE)"
                ) from error
            raise EncoderError(
                f"hf:{self._name}: {what} can't be read ({_one_line(error)}); {self._remedy(what)}"
            ) from error

    def _remedy(self, what: str) -> str:
        folder = Path(self._name)
        if "weights" in what:
            pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
            found = f"; {pickles[0].name} is one" if pickles else ""
            return (
                "expected model.safetensors, which save_pretrained writes: pickles, which can run "
                f"any code, aren't read{found}"
            )
        if folder.is_dir():
            return "expected a folder that save_pretrained of a model and its extractor wrote"
        return (
            "there is no such folder, and neither the cache nor the hub gave a model of this name; "
            "download it where there is a network, or name a folder"
        )


def _patch_seconds(extractor: Any) -> float:
    """Return how long a patch is that a model was made for [s]."""
    seconds = getattr(extractor, "max_length_s", None)
    if seconds is not None:
        return float(seconds)
    frames = getattr(extractor, "max_length", None)
    if frames is not None and getattr(extractor, "num_mel_bins", None) is not None:
        return float((frames - 1) * _AST_HOP + _AST_FRAME)
    return _DEFAULT_SECONDS


def _libraries(name: str) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise EncoderError(
            f"hf:{name}: needs {error.name or 'transformers and torch'}, which isn't installed; "
            "`pip install transformers torch`, or genreflow with its extra hub"
        ) from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return torch, transformers


@contextmanager
def _without_conversion() -> Iterator[None]:
    """Keep transformers from taking weights out of what strangers propose to a repository."""
    before = os.environ.get(_NO_CONVERSION)
    os.environ[_NO_CONVERSION] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_CONVERSION]
        else:
            os.environ[_NO_CONVERSION] = before


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
