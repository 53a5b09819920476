"""Figures of the mechanism: weights, masks, hidden states, and what bits are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Numbered, Point, select, series_of, xs, ys
from train.analysis.figure_ids import FigureId
from train.analysis.mechanism import Mechanism, layer_eigenvalues
from train.reading.masks import (
    CLAMP,
    COMPLEMENT,
    Masks,
    Modes,
    code_of,
    read_weights,
    write_weights,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

# of a heat map
TOKENS, UNITS, SHOWN_INPUTS = 64, 96, 32
BINS = 80
MOST_HITS = 4


class Axis(StrEnum):
    """What is drawn."""

    MAP = "map"
    COUNTS = "counts"
    AGREEMENT = "agreement"
    BEFORE = "before"
    AFTER = "after"
    EIGENVALUES = "eigenvalues"
    SUMS = "sums"
    TOKENS = "tokens"
    BITS_PER_TOKEN = "bits_per_token"
    TOKENS_PER_UNIT = "tokens_per_unit"
    FAILURE = "failure"


class Series(StrEnum):
    """The curves and sets of markers."""

    NOT_OWNED = "not_owned"
    OWNED_CLAMP = "owned_clamp"
    OWNED_COMPLEMENT = "owned_complement"
    MINORITY_OF_NEITHER = "minority_of_neither"
    OWN_MASKS = "own_masks"
    SHUFFLED = "shuffled"
    CLAMP = "clamp"
    COMPLEMENT = "complement"
    ALL_BITS = "all_bits"
    ONE_SHORT = "one_short"
    TOKEN = "token"
    SAME_SUM = "same_sum"
    NETWORK = "network"
    INDEPENDENT = "independent_bits"
    RANDOM_CODE = "random_code"
    BEST = "best"


class Held(StrEnum):
    """Which of the two masks hold an entry."""

    NEITHER = "neither"
    BOTH = "both"
    READ_ONLY = "read_only"
    WRITE_ONLY = "write_only"


LABELS = {
    Axis.BEFORE: "before the layer",
    Axis.AFTER: "after the layer",
    Axis.BITS_PER_TOKEN: "bits per token",
    Axis.TOKENS_PER_UNIT: "tokens per unit",
    Series.NOT_OWNED: "not owned",
    Series.OWNED_CLAMP: "owned, clamp",
    Series.OWNED_COMPLEMENT: "owned, complement",
    Series.MINORITY_OF_NEITHER: "minority of neither",
    Series.OWN_MASKS: "own masks",
    Series.SHUFFLED: "shuffled tokens",
    Series.ALL_BITS: "all bits",
    Series.ONE_SHORT: "one bit short",
    Series.INDEPENDENT: "independent bits",
    Held.BOTH: "both",
    Held.READ_ONLY: "read only",
    Held.WRITE_ONLY: "write only",
}


@dataclass(frozen=True)
class Entry(Point):
    """One entry of a map: which masks hold it, or how many tokens hit the unit."""

    held: Held | None = None
    hits: int | None = None


def figures(found: Mechanism) -> list[Figure]:
    """Every figure that the network's units allow; none of a network without live units."""
    masks = found.masks
    if not masks.live.any():
        return []
    scale = "Unit by unit: 0 is the unit's own threshold, 1 the distance between its two modes. "
    made = [
        Figure(
            FigureId.READ_WEIGHTS,
            "What tokens add to units (W_E W_in) has two levels, if the network is a filter. Left: "
            "the first tokens, live units. Right: all entries of live units. " + scale,
            weights_table(read_weights(found.subject.network), masks.read_modes, masks),
            draw_read_weights,
        ),
        Figure(
            FigureId.WRITE_WEIGHTS,
            "What units add to logits (W_out W_U, transposed) has two levels, if the network is a "
            "filter. Left: the first tokens, live units. Right: all entries of live units. "
            + scale,
            weights_table(write_weights(found.subject.network), masks.write_modes, masks),
            draw_write_weights,
        ),
        Figure(
            FigureId.MASK_AGREEMENT,
            "A unit writes to the tokens that it reads, if the network is a filter. Left: the "
            "minority masks of W_E W_in (read) and of W_out W_U, transposed (write), for the "
            "first tokens and live units. Right: the share of tokens on which a unit's two masks "
            "agree, and its mean over shuffled tokens.",
            agreement_table(masks),
            draw_agreement,
        ),
    ]
    if not (masks.orientation != 0).any():
        return made
    return [
        *made,
        Figure(
            FigureId.HIDDEN_BASIS,
            "The layer of a filter turns the state z of each hidden unit into min(z, 0). States "
            "before and after the layer on a few random inputs, in units in which 0 is a unit's "
            "threshold and 1 the distance between its modes.",
            states_table(found),
            draw_states,
        ),
        Figure(
            FigureId.HIDDEN_STATES,
            "After the layer, the state of a filter's hidden unit depends only on whether any "
            "active token owns the unit. States over many inputs, by the number of active tokens "
            "that own the unit; 0 is outside the union.",
            clusters_table(found),
            draw_clusters,
        ),
        Figure(
            FigureId.LAYER_EIGENVALUES,
            "The exact clamp, x - ReLU(x - 1), has all eigenvalues of W_in W_out at -1 (cross). "
            "Points: those of this network, on its clamp units and on its complement units.",
            eigenvalue_table(found),
            draw_eigenvalues,
        ),
        Figure(
            FigureId.HASH_DOT,
            "Every token's hash is worth the same in a filter. Left: what a token's bits add to "
            "its logit when the union takes them in, one value a token, and that sum short of one "
            "bit, one value a bit. Right: the mean bit of a token against its number of bits; the "
            "line has the same sum everywhere.",
            hash_dot_table(found),
            draw_hash_dot,
        ),
        Figure(
            FigureId.CODE,
            "How the masks compare with random codes. Left and middle: bits per token and tokens "
            "per unit, with the binomial law of independent bits of the same density; a random "
            "code of constant weight has the second law and one number of bits. Right: exact "
            "failure probability of such a code, with this network's number of bits marked.",
            code_table(found),
            draw_code,
        ),
    ]


def _entry_kinds(masks: Masks) -> Iterator[tuple[Series, np.ndarray]]:
    """The kinds of (token, live unit) entries, bool [n, h]."""
    yield Series.NOT_OWNED, ~masks.read & masks.live
    yield Series.OWNED_CLAMP, masks.read & (masks.orientation == CLAMP)
    yield Series.OWNED_COMPLEMENT, masks.read & (masks.orientation == COMPLEMENT)
    yield Series.MINORITY_OF_NEITHER, masks.read & (masks.orientation == 0)


def weights_table(weights: np.ndarray, modes: Modes, masks: Masks) -> list[Point]:
    """Heat map: x the unit, series the token, y the weight. Counts: x the weight, y the share."""
    step = np.where(modes.constant, 1.0, modes.high_mean - modes.low_mean)
    scaled = (weights - modes.threshold) / step
    units = np.flatnonzero(masks.live).tolist()
    table = [
        Point(Axis.MAP, f"token_{token}", Kind.EXACT, unit, float(scaled[token, unit]))
        for token in range(min(TOKENS, len(scaled)))
        for unit in units[:UNITS]
    ]
    live = scaled[:, units]
    reach = float(min(np.abs(live).max(), 4.0)) * 1.02
    edges = np.linspace(-reach, reach, BINS + 1)
    for kind, chosen in _entry_kinds(masks):
        counts = np.histogram(scaled[chosen], edges)[0]
        if counts.any():
            table += _histogram(Axis.COUNTS, kind, edges, counts / live.size)
    return table


def _histogram(
    axis: Axis, series: str, edges: np.ndarray, shares: np.ndarray, label: str = ""
) -> list[Point]:
    middles = (edges[:-1] + edges[1:]) / 2.0
    return [
        Point(axis, series, Kind.MEASURED, float(x), float(y), label=label or _label(series))
        for x, y in zip(middles, shares, strict=True)
    ]


def _label(series: str) -> str:
    return next((label for name, label in LABELS.items() if name == series), "")


def draw_read_weights(points: Sequence[Point]) -> Drawn:
    """Heat map and histogram of W_E W_in."""
    return _draw_weights(points, r"$(W_E W_\mathrm{in})_{ij}$")


def draw_write_weights(points: Sequence[Point]) -> Drawn:
    """Heat map and histogram of W_out W_U."""
    return _draw_weights(points, r"$(W_\mathrm{out} W_U)_{ji}$")


def _draw_weights(points: Sequence[Point], name: str) -> Drawn:
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7, ratios=(1.15, 1.0))
    image = _draw_map(left, points, Axis.MAP)
    left.set_xlabel("live unit")
    left.set_ylabel("token")
    _whole_numbers(left)
    bar = fig.colorbar(image, ax=left, shrink=0.9, pad=0.02)
    bar.set_label(name)
    bar.outline.set_linewidth(0.5)
    _draw_histograms(right, points, Axis.COUNTS, _entry_colours())
    _log_shares(right, list(select(points, axis=Axis.COUNTS)))
    right.set_xlabel(name)
    right.set_ylabel("share of entries")
    _legend_above(right)
    return fig


def _log_shares(axes: Axes, points: Sequence[Point]) -> None:
    """A logarithmic axis for the points' shares that ends at 1, of a decade at least."""
    from matplotlib.ticker import NullFormatter

    lowest = min(point.y for point in points if point.y > 0.0)
    axes.set_yscale("log")
    axes.set_ylim(min(lowest / 1.5, 0.1), 1.0)
    axes.yaxis.set_minor_formatter(NullFormatter())


def _whole_numbers(*all_axes: Axes) -> None:
    """Ticks of the horizontal axes at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    for axes in all_axes:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True))


def _legend_above(axes: Axes, columns: int = 2) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def _entry_colours() -> Mapping[str, str]:
    from simulate.jobs import style

    return {
        Series.NOT_OWNED: style.GREY,
        Series.OWNED_CLAMP: style.COLOURS[0],
        Series.OWNED_COMPLEMENT: style.COLOURS[1],
        Series.MINORITY_OF_NEITHER: style.COLOURS[2],
    }


def _draw_map(axes: Axes, points: Sequence[Point], axis: Axis, reach: float = 1.0):
    """The rows (series) and columns of a heat map, blue below 0 and orange above."""
    from matplotlib.colors import LinearSegmentedColormap

    from simulate.jobs import style

    rows = series_of(points, axis=axis)
    values = np.array([[point.y for point in row] for row in rows.values()])
    colours = LinearSegmentedColormap.from_list(
        "blue_orange", (style.COLOURS[0], "#ffffff", style.COLOURS[1])
    )
    axes.grid(False)
    return axes.imshow(
        values, cmap=colours, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest"
    )


def _draw_histograms(
    axes: Axes, points: Sequence[Point], axis: Axis, colours: Mapping[Any, str]
) -> None:
    for series, own in series_of(points, axis=axis).items():
        x, y = np.array(xs(own)), np.array(ys(own))
        half = 0.5 * (x[1] - x[0])
        edges = np.append(x - half, x[-1] + half)
        # from a small positive number, which a logarithmic axis has too
        axes.stairs(
            y,
            edges,
            baseline=1e-12,
            fill=True,
            color=colours[series],
            alpha=0.75,
            label=own[0].shown,
        )


def agreement_table(masks: Masks) -> list[Point]:
    """Map: series the token, x the unit, which masks hold it. Agreement: x the unit."""
    units = np.flatnonzero(masks.live).tolist()
    table: list[Point] = [
        Entry(Axis.MAP, f"token_{token}", Kind.EXACT, unit, 1.0, held=_which(masks, token, unit))
        for token in range(min(TOKENS, len(masks.read)))
        for unit in units[:UNITS]
    ]
    agree = (masks.read == masks.write).mean(axis=0)
    p, q = masks.read.mean(axis=0), masks.write.mean(axis=0)
    by_chance = p * q + (1.0 - p) * (1.0 - q)
    for series, values in ((Series.OWN_MASKS, agree), (Series.SHUFFLED, by_chance)):
        table += [
            Point(
                Axis.AGREEMENT, series, Kind.EXACT, unit, float(values[unit]), label=LABELS[series]
            )
            for unit in units
        ]
    return table


def _which(masks: Masks, token: int, unit: int) -> Held:
    if masks.read[token, unit]:
        return Held.BOTH if masks.write[token, unit] else Held.READ_ONLY
    return Held.WRITE_ONLY if masks.write[token, unit] else Held.NEITHER


def draw_agreement(points: Sequence[Point]) -> Drawn:
    """Which entries the two masks hold, and how far they agree in each unit."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7, ratios=(1.15, 1.0))
    colours = {
        Held.NEITHER: "#f2f2f2",
        Held.BOTH: style.COLOURS[0],
        Held.READ_ONLY: style.COLOURS[1],
        Held.WRITE_ONLY: style.COLOURS[2],
    }
    order = list(colours)
    values = [
        [order.index(point.held) for point in row if isinstance(point, Entry) and point.held]
        for row in series_of(points, axis=Axis.MAP).values()
    ]
    left.grid(False)
    left.imshow(
        np.array(values),
        cmap=ListedColormap(list(colours.values())),
        vmin=-0.5,
        vmax=3.5,
        aspect="auto",
        interpolation="nearest",
    )
    left.set_xlabel("live unit")
    left.set_ylabel("token")
    left.legend(
        handles=[Patch(color=colours[held], label=LABELS[held]) for held in order[1:]],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
    )
    for series, colour in zip((Series.OWN_MASKS, Series.SHUFFLED), style.COLOURS, strict=False):
        own = np.sort(ys(list(select(points, axis=Axis.AGREEMENT, series=series))))
        right.plot(np.arange(1, len(own) + 1), own, color=colour, label=LABELS[series])
    right.set_ylim(0.0, 1.04)
    right.set_xlabel("live units, ascending")
    _whole_numbers(left, right)
    right.set_ylabel("share of tokens that agree")
    right.legend(loc="lower right")
    return fig


def states_table(found: Mechanism) -> list[Entry]:
    """Series the input, x the unit, y its state, and the number of hits."""
    states = found.states
    return [
        Entry(
            axis,
            f"input_{row}",
            Kind.MEASURED,
            int(unit),
            float(values[row, at]),
            hits=int(states.hits[row, at]),
        )
        for axis, values in ((Axis.BEFORE, states.before), (Axis.AFTER, states.after))
        for row in range(min(SHOWN_INPUTS, len(values)))
        for at, unit in enumerate(states.units[:UNITS])
    ]


def draw_states(points: Sequence[Point]) -> Drawn:
    """Two heat maps of one scale: inputs down, units across."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.6)
    for axes, axis in zip(both, (Axis.BEFORE, Axis.AFTER), strict=True):
        image = _draw_map(axes, points, axis, reach=2.0)
        axes.set_title(LABELS[axis])
        axes.set_xlabel("unit")
    both[0].set_ylabel("input")
    _whole_numbers(*both)
    bar = fig.colorbar(image, ax=both, shrink=0.9, pad=0.01, extend="max")
    bar.set_label("state $z$")
    bar.outline.set_linewidth(0.5)
    return fig


def clusters_table(found: Mechanism) -> list[Point]:
    """Share of all states by value, a series for each number of hits, the largest pooled."""
    states = found.states
    low = float(min(states.before.min(), states.after.min()))
    high = float(np.quantile(states.before, 0.9999))
    edges = np.linspace(low - 0.05, high + 0.05, 2 * BINS + 1)
    table = []
    for axis, values in ((Axis.BEFORE, states.before), (Axis.AFTER, states.after)):
        for hits in range(MOST_HITS + 1):
            here = states.hits == hits if hits < MOST_HITS else states.hits >= hits
            if here.any():
                counts = np.histogram(values[here], edges)[0]
                table += _histogram(
                    axis, f"hits_{hits}", edges, counts / values.size, _hits_label(hits)
                )
    return table


def _hits_label(hits: int) -> str:
    return f"{hits} or more" if hits == MOST_HITS else str(hits)


def draw_clusters(points: Sequence[Point]) -> Drawn:
    """Histograms before and after, on one pair of scales."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.5)
    shades = (style.GREY, *style.COLOURS)
    colours = {f"hits_{hits}": shades[hits] for hits in range(MOST_HITS + 1)}
    for axes, axis in zip(both, (Axis.BEFORE, Axis.AFTER), strict=True):
        _draw_histograms(axes, points, axis, colours)
        _log_shares(axes, points)
        axes.set_title(LABELS[axis])
        axes.set_xlabel("state $z$")
    both[0].set_ylabel("share of states")
    both[1].legend(title="hits", title_fontsize=7.0, loc="upper right")
    return fig


def eigenvalue_table(found: Mechanism) -> list[Point]:
    """x the real part, y the imaginary part, series the orientation."""
    complement = layer_eigenvalues(found.subject.network, found.masks.orientation == COMPLEMENT)
    return [
        Numbered(
            Axis.EIGENVALUES,
            series,
            Kind.EXACT,
            float(value.real),
            float(value.imag),
            number=number,
        )
        for series, values in ((Series.CLAMP, found.eigenvalues), (Series.COMPLEMENT, complement))
        for number, value in enumerate(values)
    ]


def draw_eigenvalues(points: Sequence[Point]) -> Drawn:
    """The complex plane, -1 marked."""
    from simulate.jobs import style

    fig, axes = style.figure(style.SINGLE_COLUMN, 2.6)
    axes.plot([-1.0], [0.0], "x", color=style.INK, markersize=7, label="$-1$", zorder=4)
    for series, colour in ((Series.CLAMP, style.COLOURS[0]), (Series.COMPLEMENT, style.COLOURS[1])):
        own = list(select(points, series=series))
        if own:
            axes.plot(
                xs(own),
                ys(own),
                "o",
                color=colour,
                markerfacecolor="none",
                label=f"{len(own)} {series} units",
            )
    reach = max(0.5, *(1.15 * abs(point.y) for point in points))
    axes.set_ylim(-reach, reach)
    axes.set_xlim(min(-1.5, *(p.x for p in points)) - 0.1, max(0.5, *(p.x for p in points)) + 0.1)
    axes.set_xlabel(r"real part of an eigenvalue of $W_\mathrm{in} W_\mathrm{out}$")
    axes.set_ylabel("imaginary part")
    _legend_above(axes, columns=3)
    return fig


def hash_dot_table(found: Mechanism) -> list[Point]:
    """Sums: x nats, y the share of tokens or bits. Tokens: x the bits, y the mean bit, nats."""
    owned = found.masks.write[:, found.states.units]
    weights = np.nan_to_num(found.bit_weights)
    sums, bits = (weights * owned).sum(axis=1), owned.sum(axis=1)
    short = (sums[:, None] - weights)[owned]
    if not short.size:
        return []
    low, high = min(sums.min(), short.min()), sums.max()
    margin = 0.02 * (high - low) + 1e-9
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    table = []
    for series, values in ((Series.ALL_BITS, sums), (Series.ONE_SHORT, short)):
        shares = np.histogram(values, edges)[0] / values.size
        table += _histogram(Axis.SUMS, series, edges, shares)
    some = bits > 0
    table += [
        Numbered(
            Axis.TOKENS,
            Series.TOKEN,
            Kind.MEASURED,
            float(bits[token]),
            float(sums[token] / bits[token]),
            number=token,
        )
        for token in np.flatnonzero(some).tolist()
    ]
    mean = float(sums.mean())
    line = np.linspace(max(0.5, float(bits[some].min()) - 0.5), float(bits.max()) + 0.5, 50)
    return table + [
        Point(Axis.TOKENS, Series.SAME_SUM, Kind.EXACT, float(x), mean / float(x)) for x in line
    ]


def draw_hash_dot(points: Sequence[Point]) -> Drawn:
    """Sums of bit weights, full and one short; mean bit against the number of bits."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.5)
    colours = {Series.ALL_BITS: style.COLOURS[0], Series.ONE_SHORT: style.COLOURS[1]}
    _draw_histograms(left, points, Axis.SUMS, colours)
    left.set_xlabel("sum of bit weights, nats")
    left.set_ylabel("share")
    _legend_above(left)
    own = list(select(points, axis=Axis.TOKENS, series=Series.TOKEN))
    right.plot(
        xs(own),
        ys(own),
        "o",
        color=style.COLOURS[0],
        alpha=0.3,
        markeredgewidth=0,
        label="a token",
    )
    line = list(select(points, axis=Axis.TOKENS, series=Series.SAME_SUM))
    right.plot(xs(line), ys(line), ":", color=style.INK, label="the same sum")
    right.set_ylim(0.0, None)
    right.set_xlabel("bits of the token")
    _whole_numbers(right)
    right.set_ylabel("mean bit weight, nats")
    _legend_above(right)
    return fig


def code_table(found: Mechanism) -> list[Point]:
    """Counts and their binomial laws; P_fail against the number of bits."""
    from scipy.stats import binom

    from theory.false_positives import failure_probability
    from theory.width import optimal_hashes_for_failure

    bits = code_of(found.masks)
    n, d = bits.shape
    density = float(bits.mean())
    table = []
    for axis, counts, trials in (
        (Axis.BITS_PER_TOKEN, bits.sum(axis=1), d),
        (Axis.TOKENS_PER_UNIT, bits.sum(axis=0), n),
    ):
        mean, reach = trials * density, 4.0 * np.sqrt(trials * density * (1.0 - density)) + 1.0
        first = max(0, int(min(mean - reach, counts.min())))
        last = min(trials, int(np.ceil(max(mean + reach, counts.max()))))
        x = np.arange(first, last + 1)
        own = np.bincount(counts, minlength=last + 1)[first:] / len(counts)
        for series, kind, values in (
            (Series.NETWORK, Kind.MEASURED, own),
            (Series.INDEPENDENT, Kind.EXACT, binom.pmf(x, trials, density)),
        ):
            table += [
                Point(axis, series, kind, float(at), float(y))
                for at, y in zip(x, values, strict=True)
            ]
    weight = float(bits.sum(axis=1).mean())
    k = found.subject.k
    best = optimal_hashes_for_failure(n, k, d)
    last = min(d, int(max(2.0 * best, 1.5 * weight)) + 2)
    for m in sorted({*np.linspace(1, last, min(last, 40)).astype(int).tolist()}):
        value = failure_probability(n, k, d, m)
        table.append(
            Point(
                Axis.FAILURE,
                Series.RANDOM_CODE,
                Kind.EXACT,
                m,
                value,
                n=n,
                k=k,
                d=d,
                m=m,
            )
        )
    table.append(Point(Axis.FAILURE, Series.NETWORK, Kind.MEAN, weight, 1.0))
    least = failure_probability(n, k, d, best)
    table.append(Point(Axis.FAILURE, Series.BEST, Kind.EXACT, best, least))
    return table


def draw_code(points: Sequence[Point]) -> Drawn:
    """Two distributions beside their laws, and where the density stands against the optimum."""
    from simulate.jobs import style

    fig, (bits, owners, failure) = style.row_of_axes(3, style.DOUBLE_COLUMN, 2.6)
    for axes, axis in ((bits, Axis.BITS_PER_TOKEN), (owners, Axis.TOKENS_PER_UNIT)):
        own = series_of(points, axis=axis)
        network, law = own[Series.NETWORK], own[Series.INDEPENDENT]
        x = np.array(xs(network))
        y = np.array(ys(network))
        if axis is Axis.TOKENS_PER_UNIT:
            # too few units for a histogram
            _draw_cumulative(axes, x, y, np.array(ys(law)))
        else:
            axes.bar(x, y, 0.9, color=style.COLOURS[0], linewidth=0, label="network")
            axes.plot(x, ys(law), color=style.INK, linewidth=0.9, label="independent bits")
            axes.set_ylabel("share of tokens")
        axes.set_xlabel(LABELS[axis])
        _legend_above(axes, columns=1)
    curve = list(select(points, axis=Axis.FAILURE, series=Series.RANDOM_CODE))
    failure.plot(xs(curve), ys(curve), color=style.INK, label="random code")
    (weight,) = select(points, axis=Axis.FAILURE, series=Series.NETWORK)
    (best,) = select(points, axis=Axis.FAILURE, series=Series.BEST)
    failure.axvline(weight.x, color=style.COLOURS[0], linestyle="--", label="this network")
    failure.plot([best.x], [best.y], "o", color=style.COLOURS[1], label="best $m$")
    failure.set_yscale("log")
    failure.set_ylim(min(0.08, best.y / 1.5), 1.2)
    failure.set_xlabel("hash bits $m$")
    _whole_numbers(bits, owners, failure)
    failure.set_ylabel(r"$P_\mathrm{fail}$")
    _legend_above(failure, columns=1)
    return fig


def _draw_cumulative(axes: Axes, x: np.ndarray, own: np.ndarray, law: np.ndarray) -> None:
    from simulate.jobs import style

    axes.step(x, own.cumsum(), where="post", color=style.COLOURS[0], label="network")
    axes.plot(x, law.cumsum(), color=style.INK, linewidth=0.9, label="independent bits")
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("share of units, cumulative")
