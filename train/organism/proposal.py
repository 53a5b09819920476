"""What a method that looks for structure proposes: components, and which tokens own each of them.

A method is any callable (subject, rng) -> `Proposal`. The subject holds the network and its task
and nothing of the truth; a method may use the weights, or only the activations on inputs that it
draws (`activations.draw`). Masks are proposed as they are, or made from what a method has instead:
one number for each token and component (`of_loadings`), or directions of the residual stream
(`of_directions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.domain import DomainError
from train.reading.masks import Modes, two_modes
from train.reading.subject import Subject

# loadings of a column that differ by no more than this share of its largest are equal
_ROUNDING = 2.0**-42


@dataclass(frozen=True)
class Proposal:
    """Components in any order. Raises DomainError for shapes or dtypes that do not fit, or NaN.

    read: whether a token owns the component. scores: how much the method trusts each component, on
    any scale; of more components than there are bits only the highest scored count. write: whether
    the component is written to the token's logit; the same as read where a method does not tell
    them apart. orientation: +1 clamp, -1 complement, 0 no claim; None where a method makes none.
    """

    read: Bool[np.ndarray, "n components"]
    scores: Float[np.ndarray, " components"]
    write: Bool[np.ndarray, "n components"] | None = None
    orientation: Int[np.ndarray, " components"] | None = None

    def __post_init__(self) -> None:
        for name in ("read", "write"):
            mask = getattr(self, name)
            if mask is not None and getattr(mask, "dtype", None) != np.bool_:
                raise DomainError(f"{name} must be an array of bool; `of_loadings` makes one")
        if self.read.ndim != 2:
            raise DomainError(f"read must be a matrix [n, components]; got {self.read.shape}")
        try:
            scores = np.asarray(self.scores, dtype=np.float64)
        except (TypeError, ValueError):
            raise DomainError("scores must be numbers, one for each component") from None
        object.__setattr__(self, "scores", scores)
        components = self.read.shape[1]
        wanted = {
            "scores": (components,),
            "write": self.read.shape,
            "orientation": (components,),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise DomainError(f"{name} must have shape {shape}; got {value.shape}")
        if np.isnan(self.scores).any():
            raise DomainError("scores must be numbers; got NaN")

    @property
    def written(self) -> Bool[np.ndarray, "n components"]:
        """The mask of writing; that of reading where it is not told apart."""
        return self.read if self.write is None else self.write

    @property
    def entries(self) -> Bool[np.ndarray, "entries components"]:
        """Both masks, one below the other."""
        return np.vstack([self.read, self.written])

    def taken(self, components: Int[np.ndarray, " some"]) -> Proposal:
        """These components alone, in this order."""
        return Proposal(
            self.read[:, components],
            self.scores[components],
            None if self.write is None else self.write[:, components],
            None if self.orientation is None else self.orientation[components],
        )

    def best(self, count: int) -> Proposal:
        """The components with the highest scores, at most so many; of equal ones the first."""
        return self.taken(np.argsort(-self.scores, kind="stable")[:count])

    def with_tokens(self, order: Int[np.ndarray, " n"]) -> Proposal:
        """The same components of tokens in another order."""
        write = None if self.write is None else self.write[order]
        return Proposal(self.read[order], self.scores, write, self.orientation)


Method = Callable[[Subject, np.random.Generator], Proposal]


def of_loadings(
    loadings: Float[np.ndarray, "n components"],
    scores: Float[np.ndarray, " components"] | None = None,
    write: Float[np.ndarray, "n components"] | None = None,
    orientation: Int[np.ndarray, " components"] | None = None,
) -> Proposal:
    """Masks from one number for each token and component, n >= 2.

    Each column is split into two modes (`masks.two_modes`), and the tokens of the smaller group own
    the component, so that neither the scale of a column nor its sign matters. scores: how clearly
    there are two modes (nats a token), if not given. Raises DomainError for entries that are not
    finite.
    """
    read = _split("loadings", loadings)
    return Proposal(
        read.minority,
        read.nats if scores is None else scores,
        None if write is None else _split("write", write).minority,
        orientation,
    )


def of_directions(
    directions: Float[np.ndarray, "components d"],
    subject: Subject,
    scores: Float[np.ndarray, " components"] | None = None,
) -> Proposal:
    """Masks from directions of the residual stream before the layer: how each W_E[i] projects."""
    return of_loadings(subject.network.W_E.astype(np.float64) @ directions.T, scores)


def _split(name: str, values: Float[np.ndarray, "n components"]) -> Modes:
    if np.ndim(values) != 2:
        raise DomainError(f"{name} must be a matrix [n, components]; got {np.shape(values)}")
    if not np.isfinite(values).all():
        raise DomainError(f"{name} must be finite everywhere")
    values = np.asarray(values, dtype=np.float64)
    return two_modes(values, _ROUNDING * np.abs(values).max(axis=0))
