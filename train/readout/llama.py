"""A minimal forward pass of a Llama-type model from its GGUF file, in NumPy, float32.

RMSNorm, rotary positions on neighbouring pairs (as GGUF orders the rows of Q and K), grouped
queries, SwiGLU. Only the states before the unembedding are computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError, check_integer
from train.readout.gguf_file import GgufFile
from train.readout.tokenizer import Tokenizer

_MOST_CONTEXT = 8192
_MOST_PARTS = 4096


class Llama:
    """A Llama-type model; its states are those that `Readout.vectors` reads, gain folded away.

    Raises DomainError, naming the file, for another architecture or missing metadata.
    """

    def __init__(self, path: Path) -> None:
        self.file = GgufFile(path)
        metadata = self.file.metadata
        if metadata.get("general.architecture") != "llama":
            raise DomainError(f"{path}: text needs a GGUF file of type llama; use --states")
        self.tokenizer = Tokenizer(path, metadata)

        def number(key: str, default: float | None = None) -> float:
            value = metadata.get(f"llama.{key}", default)
            if not isinstance(value, int | float) or isinstance(value, bool):
                value = None
            if value is None or not 0 < value < math.inf:
                raise DomainError(f"{path}: llama.{key} must be a positive number")
            return float(value)

        def count(key: str, default: int | None = None) -> int:
            # each of the things counted has tensors, or rows of one
            value = metadata.get(f"llama.{key}", default)
            if not isinstance(value, int):
                raise DomainError(f"{path}: llama.{key} must be an integer")
            return check_integer(f"{path}: llama.{key}", value, 1, _MOST_PARTS)

        self.layers = count("block_count")
        self.heads = count("attention.head_count")
        self.kv_heads = count("attention.head_count_kv", self.heads)
        self.epsilon = number("attention.layer_norm_rms_epsilon")
        self.base = number("rope.freq_base", 10000.0)
        self._check_shapes()
        self._embedding = self.file.tensor("token_embd.weight")

    @property
    def d(self) -> int:
        """Width of the residual."""
        return int(self._embedding.shape[1])

    def _check_shapes(self) -> None:
        path, file = self.file.path, self.file
        missing = [name for name in self._names() if name not in file.names]
        if missing:
            raise DomainError(f"{path}: no tensor {missing[0]}, which a llama has")
        embedding = file.shape("token_embd.weight")
        if len(embedding) != 2 or embedding[0] != len(self.tokenizer.tokens):
            raise DomainError(
                f"{path}: token_embd.weight must have a row for each of the "
                f"{len(self.tokenizer.tokens)} tokens; its shape is {list(embedding)}"
            )
        d, hidden = embedding[1], file.shape("blk.0.ffn_gate.weight")[0]
        if d % self.heads or self.heads % self.kv_heads or (d // self.heads) % 2:
            raise DomainError(f"{path}: {self.heads} heads do not fit a width of {d}")
        own = d // self.heads * self.kv_heads
        wanted = {
            "attn_norm": (d,),
            "attn_q": (d, d),
            "attn_k": (own, d),
            "attn_v": (own, d),
            "attn_output": (d, d),
            "ffn_norm": (d,),
            "ffn_gate": (hidden, d),
            "ffn_up": (hidden, d),
            "ffn_down": (d, hidden),
        }
        for name in self._names()[1:]:
            shape = wanted[name.split(".")[2]]
            if file.shape(name) != shape:
                raise DomainError(
                    f"{path}: {name} must have shape {list(shape)}; got {list(file.shape(name))}"
                )

    def _names(self) -> list[str]:
        parts = [f"attn_{part}" for part in ("norm", "q", "k", "v", "output")]
        parts += [f"ffn_{part}" for part in ("norm", "gate", "up", "down")]
        return ["token_embd.weight"] + [
            f"blk.{layer}.{part}.weight" for layer in range(self.layers) for part in parts
        ]

    def states(self, texts: Sequence[Sequence[int]]) -> Float[np.ndarray, "T d"]:
        """The normalised residual after the last layer at every position of every text.

        A layer's weights are dequantised once for all texts. Raises DomainError for an empty text
        or one of more than 8,192 tokens.
        """
        if any(not 0 < len(text) <= _MOST_CONTEXT for text in texts) or not texts:
            raise DomainError(f"texts must have 1 to {_MOST_CONTEXT} tokens each")
        residuals = [self._embedding[np.asarray(text)] for text in texts]
        for layer in range(self.layers):
            weights = {
                part: self.file.tensor(f"blk.{layer}.{part}.weight")
                for part in (
                    name.split(".")[2] for name in self._names() if f"blk.{layer}." in name
                )
            }
            for index, x in enumerate(residuals):
                x = x + self._attention(x, weights)
                residuals[index] = x + self._feed_forward(x, weights)
        return np.concatenate([self._normed(x) for x in residuals])

    def _normed(self, x: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))

    def _feed_forward(self, x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
        x = self._normed(x) * weights["ffn_norm"]
        gate = x @ weights["ffn_gate"].T
        with np.errstate(over="ignore"):
            gate = gate / (1.0 + np.exp(-gate))
        return (gate * (x @ weights["ffn_up"].T)) @ weights["ffn_down"].T

    def _attention(self, x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
        length, d = x.shape
        width = d // self.heads
        x = self._normed(x) * weights["attn_norm"]

        def split(name: str, heads: int) -> np.ndarray:
            return (x @ weights[name].T).reshape(length, heads, width).transpose(1, 0, 2)

        q = self._turned(split("attn_q", self.heads))
        k = self._turned(split("attn_k", self.kv_heads))
        v = split("attn_v", self.kv_heads)
        repeats = self.heads // self.kv_heads
        k, v = k.repeat(repeats, axis=0), v.repeat(repeats, axis=0)
        scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(width))
        scores[:, np.triu(np.ones((length, length), dtype=np.bool_), 1)] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        return mixed.transpose(1, 0, 2).reshape(length, d) @ weights["attn_output"].T

    def _turned(self, x: np.ndarray) -> np.ndarray:
        """Rotary positions on the pairs (0, 1), (2, 3), ... of each head."""
        length, width = x.shape[1:]
        rates = self.base ** (-np.arange(0, width, 2) / width)
        angle = np.arange(length)[:, None] * rates
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        even, odd = x[..., ::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., ::2], turned[..., 1::2] = even * cos - odd * sin, even * sin + odd * cos
        return turned
