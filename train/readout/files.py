"""The unembedding of a model from its file: safetensors, GGUF or ONNX.

Nothing is unpickled and no code of a model is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError
from train.reading.names import NETWORK
from train.readout.gguf_file import MAGIC, GgufFile
from train.readout.messages import listed, quoted
from train.readout.safetensors_file import (
    CONFIG,
    INDEX,
    SINGLE,
    gain_offset,
    open_safetensors,
)
from train.readout.sizes import LARGEST, check_file, check_values
from train.readout.whiten import FEWEST_TOKENS

# names of the same tensors in the families of models that are widely used; the first one wins
W_U = (
    "W_U",
    "lm_head.weight",
    "output.weight",
    "embed_out.weight",
    "unembed.W_U",
    "language_model.lm_head.weight",
    # tied to the embedding
    "model.embed_tokens.weight",
    "token_embd.weight",
    "transformer.wte.weight",
    "wte.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "embed_tokens.weight",
)
NORM = (
    "model.norm.weight",
    "output_norm.weight",
    "transformer.ln_f.weight",
    "ln_f.weight",
    "gpt_neox.final_layer_norm.weight",
    "model.final_layernorm.weight",
    "model.language_model.norm.weight",
    "language_model.model.norm.weight",
    "norm.weight",
)
BIAS = ("b_U", "lm_head.bias", "output.bias", "unembed.b_U")
# stored as [d, n]; all others have a row for each token
_BY_COLUMN = ("W_U", "unembed.W_U")
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


# down projections of the layers' units; (pattern with the layer's number, whether [h, d])
_UNITS = (
    (re.compile(r"^(?:.*\.)?layers\.(\d{1,6})\.mlp\.down_proj\.weight$"), False),
    (re.compile(r"^blk\.(\d{1,6})\.ffn_down\.weight$"), False),
    (re.compile(r"^(?:.*\.)?layers\.(\d{1,6})\.mlp\.dense_4h_to_h\.weight$"), False),
    (re.compile(r"^(?:transformer\.)?h\.(\d{1,6})\.mlp\.c_proj\.weight$"), True),
    (re.compile(r"^()W_out$"), True),
)
_LAST_LAYERS = 2


@dataclass(frozen=True)
class Units:
    """What the units of one layer write into the residual: float32 [h, d], by the layer's name."""

    name: str
    directions: Float[np.ndarray, "h d"]


@dataclass(frozen=True)
class Readout:
    """logits = vectors h + bias, with the final norm's gain in `vectors`.

    vectors: float32 [n, d], one row for each token. bias: float32 [n], 0 without one. name: of the
    file. tensor: the name of the weights in it. tied: whether they are also the embedding.
    vocabulary: the tokens as text; empty where the file has none. units: of the last two layers,
    last first, or of an ONNX graph the coordinates of h. reads: the name of h in an ONNX graph.
    files: all that was read of the model.
    """

    vectors: Float[np.ndarray, "n d"]
    bias: Float[np.ndarray, " n"]
    name: str
    tensor: str
    tied: bool = False
    gain_folded: bool = False
    vocabulary: tuple[str, ...] = ()
    units: tuple[Units, ...] = ()
    reads: str = ""
    files: tuple[Path, ...] = ()

    @property
    def n(self) -> int:
        return len(self.vectors)

    @property
    def d(self) -> int:
        return self.vectors.shape[1]

    @property
    def W_U(self) -> Float[np.ndarray, "d n"]:
        """The unembedding as the rest of the project has it."""
        return self.vectors.T


def open_readout(
    model: Path,
    names: Mapping[str, str] | None = None,
    initializer: str | None = None,
    transpose: bool = False,
) -> Readout:
    """Read the unembedding.

    model: a file (safetensors, the index of a sharded one, GGUF, ONNX) or a folder with one. names:
    the file's names of W_U, norm and bias where they are not guessed. initializer: of an ONNX
    graph. transpose: the weights have a column, not a row, for each token (a row for W_U).
    Raises DomainError in one line, naming the file, for whatever is wrong with it.
    """
    names = dict(names or {})
    unknown = sorted(names.keys() - {"W_U", "norm", "bias"})
    if unknown:
        raise DomainError(f"names must be among W_U, norm, bias; got {listed(unknown)}")
    path = model_file(model)
    # what overflows is not finite, and refused below
    with np.errstate(over="ignore", invalid="ignore"):
        readout = _opened(path, names, initializer, transpose)
    _check(path, readout)
    return readout


def _opened(
    path: Path, names: Mapping[str, str], initializer: str | None, transpose: bool
) -> Readout:
    with path.open("rb") as stream:
        beginning = stream.read(16)
    if path.suffix == ".onnx":
        if names:
            raise DomainError("names must not come with an ONNX graph; use --initializer")
        return _from_onnx(path, initializer, transpose)
    if initializer is not None:
        raise DomainError(f"initializer must come with an ONNX graph; got {path.name}")
    if beginning.startswith(MAGIC) or path.suffix == ".gguf":
        return _from_gguf(path, names, transpose)
    if path.suffix in (".json", ".safetensors") or beginning[8:9] == b"{":
        return _from_safetensors(path, names, transpose)
    if beginning.startswith(_PICKLES):
        raise DomainError(
            f"{path}: a pickle or an archive, which could run code; convert it to safetensors"
        )
    raise DomainError(f"{path}: must be a safetensors, GGUF or ONNX file")


def _check(path: Path, readout: Readout) -> None:
    """Refuse at once what no part of the measurement can take."""
    name = f"{path}: {quoted(readout.tensor)}"
    check_values(name, readout.vectors)
    check_values(f"{name}: its bias", readout.bias)
    for unit in readout.units:
        check_values(f"{path}: {quoted(unit.name)}", unit.directions)
    if readout.n < FEWEST_TOKENS:
        raise DomainError(
            f"{name} must have at least {FEWEST_TOKENS} tokens, one a row; got {readout.n} of "
            f"{readout.d} entries (see --transpose)"
        )
    if not np.ptp(readout.vectors, axis=0).max() > 1.0 / LARGEST:
        raise DomainError(f"{name} must have token vectors that differ; all of them are equal")


def model_file(model: Path) -> Path:
    """The file of the model: itself, or the one in its folder. DomainError if that has not one."""
    path = _file_in(model) if model.is_dir() else model
    check_file(path)
    return path


def _file_in(model: Path) -> Path:
    for name in (INDEX, SINGLE, NETWORK):
        if (model / name).is_file():
            return model / name
    found = sorted(
        each for each in model.iterdir() if each.suffix in (".safetensors", ".gguf", ".onnx")
    )
    if len(found) != 1:
        raise DomainError(
            f"{model}: must hold one model; it has {listed([f.name for f in found])}: name the file"
        )
    return found[0]


def _need(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise DomainError(f'{package} must be installed: pip install -e ".[{extra}]"')


def _assembled(
    path: Path,
    stored: Iterable[str],
    read: Callable[[str], np.ndarray],
    names: Mapping[str, str],
    transpose: bool,
    gain_offset: float = 0.0,
    vocabulary: Sequence[str] = (),
) -> Readout:
    """The unembedding from named tensors: found, turned, and the final norm folded in."""
    stored = set(stored)

    def find(ours: str, guesses: Sequence[str]) -> str | None:
        if ours in names:
            if names[ours] not in stored:
                raise DomainError(
                    f"{path}: no tensor {quoted(names[ours])}; it has {listed(sorted(stored))}"
                )
            return names[ours]
        return next((name for name in guesses if name in stored), None)

    tensor = find("W_U", W_U)
    if tensor is None:
        raise DomainError(
            f"{path}: no unembedding found; it has {listed(sorted(stored))}; use --names W_U=NAME"
        )
    vectors = read(tensor)
    if vectors.ndim != 2:
        raise DomainError(
            f"{path}: {quoted(tensor)} must have 2 axes; its shape is {list(vectors.shape)}"
        )
    if (tensor in _BY_COLUMN) != transpose:
        vectors = vectors.T
    n, d = vectors.shape
    norm, own_bias = find("norm", NORM), find("bias", BIAS)
    bias = np.zeros(n, dtype=np.float32)
    if own_bias is not None:
        bias = bias + _vector(path, own_bias, read(own_bias), n)
    if norm is not None:
        shift = norm.removesuffix("weight") + "bias"
        if shift in stored:
            bias = bias + vectors @ _vector(path, shift, read(shift), d)
        vectors = vectors * (_vector(path, norm, read(norm), d) + np.float32(gain_offset))
        if shift in stored:
            # LayerNorm, unlike RMSNorm, takes the mean of the residual away
            vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return Readout(
        np.ascontiguousarray(vectors, dtype=np.float32),
        np.asarray(bias, dtype=np.float32),
        path.parent.name if path.name in (INDEX, SINGLE, NETWORK) else path.name,
        tensor,
        tied="emb" in tensor or "wte" in tensor,
        gain_folded=norm is not None,
        vocabulary=tuple(vocabulary) if len(vocabulary) == n else (),
        units=_last_units(stored, read, d),
        files=(path,),
    )


def _last_units(
    stored: Iterable[str], read: Callable[[str], np.ndarray], d: int
) -> tuple[Units, ...]:
    found = [
        (int(match[1] or 0), name, by_row)
        for name in stored
        for pattern, by_row in _UNITS
        if (match := pattern.match(name))
    ]
    units = []
    for _, name, by_row in sorted(found, reverse=True)[:_LAST_LAYERS]:
        array = read(name)
        directions = array if by_row else array.T
        # a block of another width than the residual is another model's
        if directions.ndim == 2 and directions.shape[1] == d:
            units.append(Units(name, directions))
    return tuple(units)


def _vector(path: Path, name: str, array: np.ndarray, length: int) -> np.ndarray:
    if array.shape != (length,):
        raise DomainError(
            f"{path}: {quoted(name)} must have shape [{length}]; got {list(array.shape)}"
        )
    return array


def _from_gguf(path: Path, names: Mapping[str, str], transpose: bool) -> Readout:
    _need("gguf", "models")
    file = GgufFile(path)
    tokens = file.metadata.get("tokenizer.ggml.tokens", [])
    vocabulary = [str(token) for token in tokens] if isinstance(tokens, list) else []
    return _assembled(path, file.names, file.tensor, names, transpose, vocabulary=vocabulary)


def _from_onnx(path: Path, initializer: str | None, transpose: bool) -> Readout:
    _need("onnx", "models")
    from train.readout.onnx_file import last_linear

    found = last_linear(path, initializer)
    # a graph multiplies h by [d, n]
    vectors = found.W if found.transposed != transpose else found.W.T
    n = len(vectors)
    bias = np.zeros(n, np.float32) if found.bias is None else found.bias.reshape(-1)
    return Readout(
        np.ascontiguousarray(vectors),
        np.asarray(_vector(path, "bias", bias, n), dtype=np.float32),
        path.name,
        found.name,
        vocabulary=found.vocabulary if len(found.vocabulary) == n else (),
        units=(Units(found.reads, np.eye(vectors.shape[1], dtype=np.float32)),),
        reads=found.reads,
        files=(path, *found.beside),
    )


def _from_safetensors(path: Path, names: Mapping[str, str], transpose: bool) -> Readout:
    from train import check_installed

    check_installed()
    with open_safetensors(path) as file:
        found = _assembled(path, file.where, file.tensor, names, transpose, gain_offset(path))
    beside = path.parent / CONFIG
    extra = {beside} if beside.is_file() else set()
    return replace(found, files=tuple(sorted({path, *file.read_from, *extra})))
