"""The toy network as arrays: one residual ReLU layer between an embedding and a readout."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.domain import DomainError

Tokens = Int[np.ndarray, "sets k"]
Alpha = Float[np.ndarray, "sets k"]
Residual = Float[np.ndarray, "sets d"]
Logits = Float[np.ndarray, "sets n"]


@dataclass(frozen=True)
class ReluNetwork:
    """logits = x' W_U with x' = x + ReLU(x W_in + b_in) W_out and x = sum_j alpha_j W_E[i_j].

    Names and orientation are TransformerLens's: W_E [n, d], W_in [d, h], b_in [h], W_out [h, d],
    W_U [d, n], all of one floating dtype, in which the forward pass is computed. Output biases
    b_out [d], added to x', and b_U [n], added to the logits, are None where there are none.
    Raises DomainError for shapes that do not fit, mixed dtypes, or entries that are not finite.

    alpha_min: the smallest coefficient for which the weights do what they were made for; the
    forward pass refuses smaller ones. 0 where nothing is claimed.
    """

    W_E: Float[np.ndarray, "n d"]
    W_in: Float[np.ndarray, "d h"]
    b_in: Float[np.ndarray, " h"]
    W_out: Float[np.ndarray, "h d"]
    W_U: Float[np.ndarray, "d n"]
    alpha_min: float = 0.0
    b_out: Float[np.ndarray, " d"] | None = None
    b_U: Float[np.ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        if self.W_E.ndim != 2 or self.b_in.ndim != 1:
            raise DomainError(
                f"W_E must be a matrix [n, d] and b_in a vector [h]; got shapes {self.W_E.shape} "
                f"and {self.b_in.shape}"
            )
        n, d, h = self.n, self.d, self.h
        wanted = {"W_in": (d, h), "W_out": (h, d), "W_U": (d, n), "b_out": (d,), "b_U": (n,)}
        for name in ("W_E", "b_in", *wanted):
            tensor = getattr(self, name)
            if tensor is None:
                continue
            if tensor.shape != wanted.get(name, tensor.shape):
                hint = ", its transpose" if tensor.shape[::-1] == wanted[name] else ""
                raise DomainError(
                    f"{name} must have shape {wanted[name]}; got {tensor.shape}{hint}"
                )
            if tensor.dtype != self.dtype:
                raise DomainError(f"{name} must have W_E's dtype {self.dtype}; got {tensor.dtype}")
            if not np.isfinite(tensor).all():
                raise DomainError(f"{name} must be finite everywhere")

    @property
    def n(self) -> int:
        """Vocabulary size."""
        return self.W_E.shape[0]

    @property
    def d(self) -> int:
        """Residual width."""
        return self.W_E.shape[1]

    @property
    def h(self) -> int:
        """Hidden width."""
        return self.b_in.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """Floating dtype of the weights and of the forward pass."""
        return self.W_E.dtype

    def astype(self, dtype: type[np.floating]) -> ReluNetwork:
        """The same weights, rounded to another dtype."""
        tensors = {
            field.name: tensor.astype(dtype)
            for field in fields(self)
            if isinstance(tensor := getattr(self, field.name), np.ndarray)
        }
        return replace(self, **tensors)  # type: ignore[arg-type]

    def residual(self, tokens: Tokens, alpha: Alpha) -> Residual:
        """The residual stream before the layer: sum_j alpha_j W_E[i_j].

        Each row's tokens must be distinct. Raises DomainError for a token outside 0..n-1, or a
        coefficient that is not finite or is below alpha_min.
        """
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.n):
            raise DomainError(
                f"tokens must be in 0..{self.n - 1}; got {tokens.min()} to {tokens.max()}"
            )
        if not (np.isfinite(alpha).all() and (alpha >= self.alpha_min).all()):
            raise DomainError(
                f"alpha must be finite and at least {self.alpha_min:g}; got {alpha.min():g} to "
                f"{alpha.max():g}"
            )
        return np.einsum("sk,skd->sd", alpha.astype(self.dtype), self.W_E[tokens])

    def after_layer(self, x: Residual) -> Residual:
        """The residual stream after the layer: x + ReLU(x W_in + b_in) W_out (+ b_out)."""
        after = x + np.maximum(x @ self.W_in + self.b_in, 0) @ self.W_out
        return after if self.b_out is None else after + self.b_out

    def logits(self, tokens: Tokens, alpha: Alpha) -> Logits:
        """The forward pass, float [sets, n]; memory about 8 sets (k d + h + n) bytes."""
        return self.read_out(self.after_layer(self.residual(tokens, alpha)))

    def read_out(self, x: Residual) -> Logits:
        """The logits of a final residual stream: x W_U (+ b_U)."""
        logits = x @ self.W_U
        return logits if self.b_U is None else logits + self.b_U


def membership(tokens: Tokens, n: int) -> Bool[np.ndarray, "sets n"]:
    """True where a token is one of its set's members."""
    members = np.zeros((len(tokens), n), dtype=bool)
    np.put_along_axis(members, tokens, True, axis=1)
    return members


@dataclass(frozen=True)
class Divergence:
    """Distance of each output from the uniform target over its k members, float64 [sets].

    total_variation: in [0, 1]. kl: KL(target || output), nats. squared_error: summed over the
    vocabulary.
    """

    total_variation: Float[np.ndarray, " sets"]
    kl: Float[np.ndarray, " sets"]
    squared_error: Float[np.ndarray, " sets"]


def divergence(logits: Logits, tokens: Tokens) -> Divergence:
    """The definitions themselves, from the softmax of the logits; exact for any network."""
    from scipy.special import log_softmax

    log_output = log_softmax(logits.astype(np.float64), axis=1)
    output = np.exp(log_output)
    k = tokens.shape[1]
    target = membership(tokens, logits.shape[1]) / k
    log_on_members = np.take_along_axis(log_output, tokens, axis=1)
    return Divergence(
        total_variation=0.5 * np.abs(output - target).sum(axis=1),
        kl=-np.log(k) - log_on_members.mean(axis=1),
        squared_error=((output - target) ** 2).sum(axis=1),
    )
