"""Figures of single inputs: the output over the vocabulary, and hashes against a union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Point, key, series_of, xs, ys
from train.analysis.behaviour import Behaviour
from train.analysis.departures import unrestricted
from train.analysis.figure_ids import FigureId
from train.reading.failure import fails

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

SMALLEST_SHOWN = 1e-9
AXIS = "probability"


class Token(StrEnum):
    """What the masks say of a token of the output."""

    MEMBER = "member"
    COVERED = "covered"
    NEAR_MISS = "near_miss"
    OTHER = "other"


class Bit(StrEnum):
    """What a bit is to a token and to the union."""

    OWNED = "owned"
    LACKING = "lacking"
    UNION = "union"
    OUTSIDE = "outside"


LABELS = {Token.NEAR_MISS: "one bit missing"}
BIT_LABELS = {
    Bit.OWNED: "owned, in the union",
    Bit.LACKING: "owned, not in it",
    Bit.UNION: "union",
    Bit.OUTSIDE: "neither",
}


@dataclass(frozen=True)
class Titled(Point):
    """A point of axes that have a title. bit: of a hash, where the point is of one."""

    title: str = ""
    bit: int | None = key(None)


def figures(behaviour: Behaviour) -> list[Figure]:
    """The figures for which an input was found: without a false positive there are fewer."""
    seen, sample = behaviour.sample.outcomes, behaviour.sample
    failed = fails(seen.mass, behaviour.subject.k)
    made = []
    passing = _typical(seen.total_variation, ~failed & (seen.false_positives == 0))
    if passing is not None:
        made.append(
            Figure(
                FigureId.TYPICAL_OUTPUT,
                "A filter gives each of the k tokens the probability 1/k (dotted). Output "
                "probabilities of an input without a false positive whose total variation is the "
                "median of such inputs.",
                _output(behaviour, "typical input", sample.tokens[passing], sample.alpha[passing]),
                draw_output,
            )
        )
    failing = _typical(seen.mass, failed & (seen.false_positives == 1))
    if failing is not None:
        made.append(
            Figure(
                FigureId.FALSE_POSITIVE_OUTPUT,
                "A false positive passes for a member: the k tokens and it share the probability. "
                "Output probabilities of an input with one false positive whose mass on the k "
                "tokens is the median of such inputs. Dotted: 1/k and 1/(k + 1).",
                _output(
                    behaviour,
                    "one false positive",
                    sample.tokens[failing],
                    sample.alpha[failing],
                ),
                draw_output,
            )
        )
    intruded = _typical(seen.mass, failed & (seen.false_positives == 1) & (seen.near_misses > 1))
    if intruded is not None:
        made.append(
            Figure(
                FigureId.HASHES_AGAINST_UNION,
                "The union covers a false positive's whole hash, and only part of the others'. "
                "One input's union and four non-members' hashes, one square a bit: a covered "
                "token, the two likeliest tokens with one bit missing, and a token of median "
                "probability.",
                _hashes(behaviour, intruded),
                draw_hashes,
            )
        )
    extremes = behaviour.record.extreme_unions
    if extremes is None:
        return made
    middle = np.full(behaviour.subject.k, 0.5 * (1.0 + behaviour.subject.c))
    for id, name, of in (
        (FigureId.LARGEST_UNION_OUTPUT, "largest", extremes.largest),
        (FigureId.SMALLEST_UNION_OUTPUT, "smallest", extremes.smallest),
    ):
        tokens = np.array(of.tokens)
        title = f"{name} union found: {of.union_size} of {behaviour.hashes.shape[1]} bits"
        made.append(
            Figure(
                id,
                f"Output probabilities of the input with the {name} union found by search, all "
                "coefficients (1 + c)/2. Dotted: 1/k.",
                _output(behaviour, title, tokens, middle),
                draw_output,
            )
        )
    return made


def _typical(value: np.ndarray, among: np.ndarray) -> int | None:
    """The input whose value is the median of those chosen; None where none is."""
    chosen = np.flatnonzero(among)
    if not len(chosen):
        return None
    return int(chosen[np.argsort(value[chosen], kind="stable")[len(chosen) // 2]])


def _probabilities(behaviour: Behaviour, tokens: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    network = unrestricted(behaviour.subject.network)
    return softmax(network.logits(tokens[None], alpha[None])[0].astype(np.float64))


def _missing(behaviour: Behaviour, tokens: np.ndarray) -> np.ndarray:
    union = behaviour.hashes[tokens].any(axis=0)
    return (behaviour.hashes & ~union).sum(axis=1)


def _output(
    behaviour: Behaviour, title: str, tokens: np.ndarray, alpha: np.ndarray
) -> list[Titled]:
    """One point a token: x the token, y its probability, by what the masks say of it."""
    probability, missing = _probabilities(behaviour, tokens, alpha), _missing(behaviour, tokens)
    kinds = np.select(
        [np.isin(np.arange(len(missing)), tokens), missing == 0, missing == 1],
        [Token.MEMBER, Token.COVERED, Token.NEAR_MISS],
        Token.OTHER,
    )
    return [
        Titled(
            AXIS,
            str(kind),
            Kind.EXACT,
            token,
            float(y),
            n=len(missing),
            k=len(tokens),
            title=title,
        )
        for token, (kind, y) in enumerate(zip(kinds, probability, strict=True))
    ]


def draw_output(points: Sequence[Titled]) -> Drawn:
    """The probabilities on a linear and on a logarithmic axis."""
    from simulate.jobs import style

    fig, (linear, logarithmic) = style.row_of_axes(2)
    own = series_of(points)
    for axis in (linear, logarithmic):
        _draw_output(axis, own)
        axis.set_xlabel("token")
    k = points[0].k or 1
    levels = {k, k + len(own.get(Token.COVERED, []))}
    for level in levels:
        linear.axhline(1.0 / level, color=style.GREY, linestyle=":", linewidth=0.9, zorder=1)
    linear.set_ylim(0.0, 1.2 * max(ys(points)))
    linear.set_ylabel("output probability")
    linear.set_title(points[0].title)
    logarithmic.set_yscale("log")
    logarithmic.set_ylim(SMALLEST_SHOWN, 5.0)
    linear.legend(loc="upper center", ncols=4, columnspacing=1.0, handletextpad=0.1)
    return fig


def _draw_output(axes: Axes, own: dict[str, list[Titled]]) -> None:
    from simulate.jobs import style

    looks = {
        Token.OTHER: (style.GREY, ".", 2.0),
        Token.NEAR_MISS: (style.COLOURS[2], "^", 3.2),
        Token.COVERED: (style.COLOURS[1], "D", 3.6),
        Token.MEMBER: (style.COLOURS[0], "o", 3.6),
    }
    for kind, (colour, marker, size) in looks.items():
        drawn = own.get(kind, [])
        if not drawn:
            continue
        x, y = xs(drawn), [max(p.y, 1e-300) for p in drawn]
        label = LABELS.get(kind, str(kind))
        axes.plot(
            x, y, marker, color=colour, markersize=size, linestyle="none", label=label, zorder=3
        )
        if kind is not Token.OTHER:
            axes.vlines(x, 1e-300, y, color=colour, linewidth=0.8, zorder=2)


def _hashes(behaviour: Behaviour, place: int) -> list[Titled]:
    """Four tokens' bits as squares of a grid: x the column, y the row, series what the bit is."""
    tokens, alpha = behaviour.sample.tokens[place], behaviour.sample.alpha[place]
    probability, missing = _probabilities(behaviour, tokens, alpha), _missing(behaviour, tokens)
    others = np.setdiff1d(np.arange(len(missing)), tokens)
    falling = others[np.argsort(-probability[others], kind="stable")]
    covered = falling[missing[falling] == 0][0]
    first, second = falling[missing[falling] == 1][:2]
    baseline = falling[len(falling) // 2]
    union = behaviour.hashes[tokens].any(axis=0)
    columns = int(np.ceil(np.sqrt(len(union))))
    made = []
    for token in (covered, first, second, baseline):
        owned = behaviour.hashes[token]
        kinds = np.select(
            [owned & union, owned, union], [Bit.OWNED, Bit.LACKING, Bit.UNION], Bit.OUTSIDE
        )
        title = f"token {token}\n{missing[token]} missing, p = {probability[token]:.2g}"
        made += [
            Titled(
                f"token_{token}",
                str(kind),
                Kind.EXACT,
                bit % columns,
                bit // columns,
                title=title,
                bit=bit,
            )
            for bit, kind in enumerate(kinds)
        ]
    return made


def draw_hashes(points: Sequence[Titled]) -> Drawn:
    """Four grids side by side."""
    from matplotlib.patches import Patch, Rectangle

    from simulate.jobs import style

    tokens = {p.axis: p.title for p in points}
    colours = {
        Bit.OWNED: style.COLOURS[0],
        Bit.LACKING: style.COLOURS[1],
        Bit.UNION: "#c9dcea",
        Bit.OUTSIDE: "#f3f3f3",
    }
    fig, axes = style.row_of_axes(len(tokens), style.DOUBLE_COLUMN, 2.6)
    for axis, (token, title) in zip(axes, tokens.items(), strict=True):
        own = [p for p in points if p.axis == token]
        for p in own:
            axis.add_patch(
                Rectangle((p.x, p.y), 0.92, 0.92, color=colours[Bit(p.series)], linewidth=0)
            )
        axis.set_xlim(0, max(p.x for p in own) + 1)
        axis.set_ylim(max(p.y for p in own) + 1, 0)
        axis.set_aspect("equal")
        axis.axis("off")
        axis.set_title(title, fontsize=7.5)
    fig.legend(
        handles=[Patch(color=colour, label=BIT_LABELS[kind]) for kind, colour in colours.items()],
        loc="outside lower center",
        ncols=4,
    )
    return fig
