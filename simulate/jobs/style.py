"""One look for every figure: printed sizes, a colour-blind safe palette, byte-stable files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simulate.jobs.table import Point, xs, ys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# inches, a two-column journal
SINGLE_COLUMN = 3.4
DOUBLE_COLUMN = 7.0
# Okabe & Ito (2008), told apart by colour-blind readers, in an order that also survives greys
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#222222"
GREY = "#777777"
# of axes
WIDTH = "residual width $d$"
FAILURE = r"failure probability $P_\mathrm{fail}$"

_NOTE: Mapping[str, Any] = {"fontsize": 7, "color": GREY, "textcoords": "offset points"}

STYLE = {
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.6,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "svg.hashsalt": "relu-bloom",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


def figure(width: float = SINGLE_COLUMN, height: float = 2.6) -> tuple[Figure, Axes]:
    """A figure of the printed size in inches, with one pair of axes."""
    fig, (axes,) = row_of_axes(1, width, height)
    return fig, axes


def row_of_axes(
    columns: int,
    width: float = DOUBLE_COLUMN,
    height: float = 2.6,
    ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` axes side by side, their widths in the given ratios."""
    mpl.rcParams.update(STYLE)
    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, list(fig.subplots(1, columns, squeeze=False, width_ratios=ratios)[0])


def sizes(point: Point, letters: str) -> str:
    """The sizes of a point that are named by `letters`, as mathematics, for titles and legends."""
    return ", ".join(f"${letter}={getattr(point, letter)}$" for letter in letters)


def curve(axes: Axes, points: Sequence[Point], line: str = "-", **options: Any) -> None:
    """A line through the points; options as of `Axes.plot`."""
    axes.plot(xs(points), ys(points), line, **options)


def note(axes: Axes, text: str, at: tuple[float, float], **options: Any) -> None:
    """Small text at a place of the data; options as of `Axes.annotate`, such as xytext in points.

    Grey unless `color` says otherwise.
    """
    axes.annotate(text, at, **{**_NOTE, **options})


def failure_against_width(axes: Axes, least: float) -> None:
    """Axes of P_fail, from a third of `least` on, against the width d."""
    axes.set_yscale("log")
    axes.set_ylim(least / 3, 2.0)
    axes.set_xlim(0, None)
    axes.set_xlabel(WIDTH)
    axes.set_ylabel(FAILURE)


def with_interval(point: Point) -> str:
    """A fitted number with half its interval, as mathematics."""
    reach = 0.5 * ((point.high or 0.0) - (point.low or 0.0))
    return f"${point.y:.3f} \\pm {reach:.3f}$"


def error_bars(
    axes: Axes, points: Sequence[Point], colour: str, marker: str, **options: Any
) -> None:
    """Measured points: hollow markers with their 95 % intervals."""
    if not points:
        return
    below = [max(p.y - (p.y if p.low is None else p.low), 0.0) for p in points]
    above = [max((p.y if p.high is None else p.high) - p.y, 0.0) for p in points]
    axes.errorbar(
        xs(points),
        ys(points),
        yerr=[below, above],
        fmt=marker,
        color=colour,
        markerfacecolor="white",
        markeredgewidth=0.9,
        elinewidth=0.9,
        capsize=1.5,
        zorder=3,
        **options,
    )


def legends(
    axes: Axes,
    meanings: Mapping[str, tuple[str, str | None]],
    series_at: str = "upper right",
    meanings_at: str = "lower left",
) -> None:
    """Two legends: the coloured series, and in grey what each line style and marker means."""
    axes.add_artist(axes.legend(loc=series_at))
    axes.legend(handles=grey_marks(meanings), loc=meanings_at)


def grey_marks(meanings: Mapping[str, tuple[str, str | None]]) -> list[Line2D]:
    """What each line style and marker means, for a legend."""
    return [key(text, GREY, line, marker) for text, (line, marker) in meanings.items()]


def key(label: str, colour: str, line: str, marker: str | None, width: float = 1.3) -> Line2D:
    """One entry of a legend: a line, hollow marks, or both."""
    return Line2D(
        [],
        [],
        color=colour,
        linestyle=line,
        linewidth=width,
        marker=marker,
        markerfacecolor="white",
        label=label,
    )


def label_1_2_5(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each decade, or 1 alone beyond two decades."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    subs = (1.0, 2.0, 5.0) if high < 100.0 * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter("{x:g}")


def rendered(fig: Figure, file_format: str, dpi: int | None = None) -> bytes:
    """The figure as the bytes of a file; the same bytes for the same figure.

    dpi: of a PNG, 300 if not given. Where it is, the figure is laid out once and drawn once, which
    takes half as long; its parts may then stand a pixel elsewhere.
    """
    stream = io.BytesIO()
    engine = fig.get_layout_engine()
    if dpi is not None and engine is not None:
        engine.execute(fig)
        fig.set_layout_engine(None)  # with another one it would be drawn twice
    fixed = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    fig.savefig(stream, format=file_format, metadata=fixed[file_format], dpi=dpi)
    return stream.getvalue()
