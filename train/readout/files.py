"""The unembedding of a model from its file: safetensors, GGUF or ONNX.

Nothing is unpickled and no code of a model is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError
from train.reading.names import NETWORK
from train.readout.gguf_file import MAGIC, GgufFile
from train.readout.sizes import check_entries

INDEX, SINGLE, CONFIG = "model.safetensors.index.json", "model.safetensors", "config.json"
_MOST_JSON = 2**26
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
        raise DomainError(f"names must be among W_U, norm, bias; got {', '.join(unknown)}")
    path = _file_of(model)
    with path.open("rb") as stream:
        beginning = stream.read(16)
    if path.suffix == ".onnx":
        if names:
            raise DomainError("names must not come with an ONNX graph; use --initializer")
        readout = _from_onnx(path, initializer, transpose)
    elif initializer is not None:
        raise DomainError(f"initializer must come with an ONNX graph; got {path.name}")
    elif beginning.startswith(MAGIC) or path.suffix == ".gguf":
        readout = _from_gguf(path, names, transpose)
    elif path.suffix == ".json" or path.suffix == ".safetensors" or beginning[8:9] == b"{":
        readout = _from_safetensors(path, names, transpose)
    elif beginning.startswith(_PICKLES):
        raise DomainError(f"{path}: a pickle, which could run code; convert it to safetensors")
    else:
        raise DomainError(f"{path}: must be a safetensors, GGUF or ONNX file")
    if not (np.isfinite(readout.vectors).all() and np.isfinite(readout.bias).all()):
        raise DomainError(f"{path}: {readout.tensor} must be finite")
    return readout


def _file_of(model: Path) -> Path:
    if not model.is_dir():
        return model
    for name in (INDEX, SINGLE, NETWORK):
        if (model / name).is_file():
            return model / name
    found = sorted(
        each for each in model.iterdir() if each.suffix in (".safetensors", ".gguf", ".onnx")
    )
    if len(found) != 1:
        raise DomainError(
            f"{model}: must hold one model; it has {', '.join(f.name for f in found) or 'none'}"
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
                some = ", ".join(sorted(stored)[:8])
                raise DomainError(f"{path}: no tensor {names[ours]}; it has {some}")
            return names[ours]
        return next((name for name in guesses if name in stored), None)

    tensor = find("W_U", W_U)
    if tensor is None:
        some = ", ".join(sorted(stored)[:8]) or "no tensors"
        raise DomainError(f"{path}: no unembedding found; it has {some}; use --names W_U=NAME")
    vectors = read(tensor)
    if vectors.ndim != 2:
        raise DomainError(f"{path}: {tensor} must have 2 axes; its shape is {list(vectors.shape)}")
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
            if not np.isfinite(directions).all():
                raise DomainError(f"{name!r} must be finite everywhere")
            units.append(Units(name, directions))
    return tuple(units)


def _vector(path: Path, name: str, array: np.ndarray, length: int) -> np.ndarray:
    if array.shape != (length,):
        raise DomainError(f"{path}: {name} must have shape [{length}]; got {list(array.shape)}")
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
    )


def _from_safetensors(path: Path, names: Mapping[str, str], transpose: bool) -> Readout:
    from train import check_installed

    check_installed()
    from safetensors import SafetensorError, safe_open

    shards = _shards(path)
    with ExitStack() as stack:
        opened = {}
        for shard in sorted({*shards.values()} if shards else {path}):
            try:
                opened[shard] = stack.enter_context(safe_open(shard, framework="pt"))
            except SafetensorError as error:
                raise DomainError(f"{shard}: not a safetensors file: {error}") from None
        where = {name: shard for shard, file in opened.items() for name in file.keys()}  # noqa: SIM118
        for name, shard in shards.items():
            if where.get(name) != shard:
                raise DomainError(f"{path}: {shard.name} has no tensor {name}")

        def read(name: str) -> np.ndarray:
            file = opened[where[name]]
            check_entries(f"{path}: {name}", file.get_slice(name).get_shape())
            try:
                tensor = file.get_tensor(name)
            except (RuntimeError, SafetensorError) as error:
                raise DomainError(f"{path}: {name} cannot be read: {error}") from None
            # of narrower types the scales lie elsewhere
            if not tensor.is_floating_point() or tensor.element_size() < 2:
                raise DomainError(f"{path}: {name} must be float16, bfloat16, float32 or float64")
            return tensor.float().numpy()

        return _assembled(path, where, read, names, transpose, _gain_offset(path))


def _json_of(path: Path) -> Mapping[str, object]:
    if path.stat().st_size > _MOST_JSON:
        raise DomainError(f"{path}: must be at most {_MOST_JSON} bytes")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DomainError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise DomainError(f"{path}: must be one JSON object")
    return found


def _shards(path: Path) -> dict[str, Path]:
    """Which file each tensor of a sharded model lies in; empty for a single file."""
    if path.suffix != ".json":
        return {}
    shards = _json_of(path).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise DomainError(f"{path}: must have a weight_map from tensors to files")
    for name in shards.values():
        # a file beside the index and nowhere else
        if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
            raise DomainError(f"{path}: weight_map must name files beside it; got {name!r}")
    found = {name: path.parent / shard for name, shard in shards.items()}
    for shard in found.values():
        if not shard.is_file():
            raise DomainError(f"{path}: there is no file {shard.name!r} beside it")
    return found


def _gain_offset(path: Path) -> float:
    """1 for the Gemma family, whose norms multiply by 1 + weight; known from config.json."""
    config = path.parent / CONFIG
    if not config.is_file():
        return 0.0
    return float(str(_json_of(config).get("model_type", "")).startswith("gemma"))
