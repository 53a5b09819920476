"""The record of a certificate, its summary, and its figure: of what the checker accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Point, series_of, xs, ys
from train.certificate.finish import FinishedRecord
from train.certificate.gates import Statement
from train.certificate.levels import Levels
from train.certificate.proof import Bracket, Proof, Sampled, Verdict
from train.certificate.proof import Statement as ProofStatement
from train.reading.normal_form import NormalForm

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

SCHEMA = 2
NAME = "certificate"


class Axis(StrEnum):
    """What is drawn."""

    MARGIN = "margin"
    GATE = "gate"


class Series(StrEnum):
    """Bounds and what was seen beside them; the last two are of the gates."""

    SEEN = "seen"
    SEARCHED = "searched"
    STRUCTURE = "structure"
    SEPARATE = "unit_by_unit"
    PLAIN = "any_number_of_tokens"
    HIT = "hit"
    MISSED = "missed"


LABELS = {
    Series.SEEN: "smallest seen",
    Series.SEARCHED: "proved, branch and bound",
    Series.STRUCTURE: "proved, structure",
    Series.SEPARATE: "unit by unit",
    Series.PLAIN: "any number of tokens",
    Series.HIT: "largest when owned",
    Series.MISSED: "smallest when not",
}
PROVED_CURVES = (Series.STRUCTURE, Series.SEPARATE, Series.PLAIN)
_ABOUT = {
    "real": "the weights in exact arithmetic, not a forward pass in floats",
    "float32": "every forward pass in float32 or wider, whatever the order of its sums",
    "bfloat16": "every forward pass in bfloat16 or wider, whatever the order of its sums",
}


@dataclass(frozen=True)
class Side:
    """One statement about every unit. proved: how many units the checker accepted; refuted: of how
    many it accepted a counterexample. bound: on the unit's input, by unit, in real arithmetic."""

    proved: int
    refuted: int
    bound: tuple[float | None, ...]


@dataclass(frozen=True)
class GatesRecord:
    """Both statements. proved: units of which both are."""

    units: int
    proved: int
    hit: Side
    missed: Side


@dataclass(frozen=True)
class Input:
    """An input and two of its tokens."""

    tokens: tuple[int, ...]
    alpha: tuple[float, ...]
    member: int
    other: int


@dataclass(frozen=True)
class Margin:
    """The smallest lead of a member over a token that misses so many bits or more.

    proved: the best lower bound that the checker accepted, structure: without enumeration. seen: an
    upper bound that it accepted, at an input. unit_by_unit, any_number_of_tokens: weaker bounds for
    comparison, in real arithmetic, which nobody checked. None where there is none.
    """

    missing_bits: int
    proved: float | None
    structure: float | None
    seen: float | None
    at: Input | None
    unit_by_unit: float | None
    any_number_of_tokens: float | None


@dataclass(frozen=True)
class Units:
    """By hidden unit: how many own it, its sign, and bounds on f_u, in real arithmetic."""

    owners: tuple[int, ...]
    sign: tuple[int, ...]
    hit_high: tuple[float, ...]
    missed_low: tuple[float, ...]
    missed_high: tuple[float, ...]


@dataclass(frozen=True)
class CoveredRecord:
    """The share of covered inputs and the mean number of covered tokens."""

    share: Bracket
    mean_tokens: Bracket


class How(StrEnum):
    """Which inputs were searched for what the structure of the weights does not prove."""

    ALL_INPUTS = "all inputs"
    SAMPLE = "sample"
    UNNEEDED = "unneeded"


@dataclass(frozen=True)
class SearchedRecord:
    """How inputs were searched, and how many."""

    how: How
    inputs: int


@dataclass(frozen=True)
class Record:
    """What certify.json holds.

    smallest_level: the smallest number of missing bits at which members are proved to outrank.
    structural: whether every gate is proved and members outrank whatever misses a bit, without
    enumeration. in_certificate: whether the checker accepted a statement about ranking. sharp:
    whether inputs fail where they are covered, and only there. sampled: no part of the certificate.
    """

    schema: int
    checkpoint: str
    source: object
    finished: FinishedRecord | None
    arithmetic: str
    n: int
    k: int
    d: int
    h: int
    c: float
    smallest_level: int | None
    structural: bool
    in_certificate: bool
    tokens_at_level: int | None
    sharp: bool
    gates: GatesRecord
    margins: tuple[Margin, ...]
    member_spread: float | None
    covered_gap: float | None
    certified_share: float
    units: Units
    covered: CoveredRecord
    failure: Bracket
    total_variation: Bracket
    sampled: Sampled | None
    searched: SearchedRecord
    statements: tuple[str, ...]


def record(
    proof: Proof,
    verdicts: Sequence[Verdict],
    checkpoint: str,
    source: object,
    finished: FinishedRecord | None,
) -> Record:
    """The record of what the checker accepted."""
    form, levels = proof.form, proof.levels
    accepted = [x.statement for x in verdicts if x.proved and x.statement]
    of = {kind: [x for x in accepted if x["kind"] == kind] for kind in _KINDS}
    margins = tuple(
        _margin(proof, s, of["outranks"], of["margin_at_most"]) for s in _levels(levels)
    )
    positive = [row.missing_bits for row in margins if row.proved is not None and row.proved > 0.0]
    level = min(positive, default=None)
    hit, missed = ({u for x in of[kind] for u in x["units"]} for kind in ("hit", "missed"))
    structural = len(margins) > 0 and (margins[0].structure or 0.0) > 0.0
    every = math.comb(form.n, form.k)
    share, tokens = (0.0, 1.0), (0.0, float(form.n - form.k))
    for x in of["covered"]:
        share = (x["inputs"] / every,) * 2
        tokens = (x["covered_tokens"] / every,) * 2
    enumerated = any(x.get("by") == "enumeration" for x in accepted)
    sampled = proof.sampled
    how = How.ALL_INPUTS if enumerated else How.SAMPLE if sampled else How.UNNEEDED
    return Record(
        schema=SCHEMA,
        checkpoint=checkpoint,
        source=source,
        finished=finished,
        arithmetic=proof.certificate["arithmetic"],
        n=form.n,
        k=form.k,
        d=form.network.d,
        h=form.h,
        c=form.c,
        smallest_level=level,
        structural=structural and len(hit & missed) == form.h,
        in_certificate=level is not None,
        # tokens that own so many units that they can miss as many bits
        tokens_at_level=None if level is None else int((form.owners.sum(axis=1) >= level).sum()),
        sharp=_is_sharp(of["failure"], of["covered"], every),
        gates=GatesRecord(
            form.h,
            len(hit & missed),
            Side(len(hit), _refuted(of["gate_errs"], form, True), _finite(proof.gates.hit)),
            Side(len(missed), _refuted(of["gate_errs"], form, False), _finite(proof.gates.missed)),
        ),
        margins=margins,
        member_spread=min((x["at_most"] for x in of["member_spread"]), default=None),
        covered_gap=min((x["at_most"] for x in of["covered_gap"]), default=None),
        certified_share=levels.certified_share,
        units=Units(
            tuple(form.owners.sum(axis=0).tolist()),
            tuple(form.sign.tolist()),
            tuple(levels.hit_high.tolist()),
            tuple(levels.missed_low.tolist()),
            tuple(levels.missed_high.tolist()),
        ),
        covered=CoveredRecord(share, tokens),
        failure=_best([x["between"] for x in of["failure"]]),
        total_variation=_best([x["between"] for x in of["total_variation"]]),
        sampled=sampled,
        searched=SearchedRecord(how, every if enumerated else sampled.inputs if sampled else 0),
        statements=tuple(x.sentence for x in verdicts if x.proved),
    )


_KINDS = (
    "hit",
    "missed",
    "gate_errs",
    "outranks",
    "margin_at_most",
    "member_spread",
    "covered_gap",
    "covered",
    "failure",
    "total_variation",
)


def _is_sharp(
    failure: Sequence[ProofStatement], covered: Sequence[ProofStatement], every: int
) -> bool:
    """Whether as many inputs are proved to fail as are covered, and no others may."""
    counts = [round(end * every) for x in failure if x["by"] == "structure" for end in x["between"]]
    return len(counts) > 0 and {*counts} == {x["inputs"] for x in covered}


def _levels(levels: Levels) -> range:
    return range(1, len(levels.margin))


def _margin(
    proof: Proof,
    missing: int,
    outranks: Sequence[ProofStatement],
    seen: Sequence[ProofStatement],
) -> Margin:
    """What was accepted of one number of missing bits; a bound for fewer holds for more."""
    by_structure = [
        x["margin"] for x in outranks if x["missing"] == missing and x["by"] == "structure"
    ]
    lower = [x["margin"] for x in outranks if x["missing"] <= missing]
    at = min((x for x in seen if x["missing"] == missing), key=lambda x: x["at_most"], default=None)
    place = (
        None
        if at is None
        else Input(tuple(at["tokens"]), tuple(at["alpha"]), at["member"], at["other"])
    )
    weaker = [float(x.margin[missing]) for x in proof.weaker] or [math.inf, math.inf]
    separate, plain = (x if math.isfinite(x) else None for x in weaker)
    return Margin(
        missing,
        max(lower, default=None),
        max(by_structure, default=None),
        None if at is None else at["at_most"],
        place,
        separate,
        plain,
    )


def _refuted(errs: Sequence[ProofStatement], form: NormalForm, when_owned: bool) -> int:
    return sum(bool(form.owners[x["tokens"], x["unit"]].any()) == when_owned for x in errs)


def _finite(statement: Statement) -> tuple[float | None, ...]:
    return tuple(x if math.isfinite(x) else None for x in statement.bound.tolist())


def _best(brackets: Sequence[Sequence[float]]) -> Bracket:
    """What all of them leave, [0, 1] if there are none."""
    return max((x[0] for x in brackets), default=0.0), min((x[1] for x in brackets), default=1.0)


def summary(found: Record) -> list[str]:
    """A page of text."""
    sizes = f"n = {found.n}, k = {found.k}, d = {found.d}, h = {found.h}, c = {found.c:g}"
    level, gates = found.smallest_level, found.gates
    if level is None:
        theorem = "the certificate proves nothing about ranking"
    elif level == 1:
        theorem = "proved: every member outranks every token that misses a bit"
    else:
        theorem = f"proved: every member outranks every token that misses {level} bits or more"
    lines = [
        f"{found.checkpoint}: {sizes}",
        "",
        f"arithmetic          {found.arithmetic}: {_ABOUT[found.arithmetic]}",
        f"no false negatives  {theorem}",
    ]
    if level is not None:
        how = "from the structure of the weights alone"
        if (found.margins[level - 1].structure or 0.0) <= 0.0:
            how = "by branch and bound over the members of an input"
        lines.append(
            f"                    {how}; all alpha in [1, c]; {found.tokens_at_level} of {found.n} "
            "tokens own so many units"
        )
    lines += [
        f"gates               {gates.proved} of {gates.units} units are off whenever owned "
        "and on whenever not",
        f"                    off when owned: {gates.hit.proved} proved, "
        f"{gates.hit.refuted} refuted; on when not: {gates.missed.proved} proved, "
        f"{gates.missed.refuted} refuted",
        "",
        "missing bits   proved margin   smallest seen",
    ]
    for row in found.margins[:6]:
        cells = row.proved, row.seen
        lines.append(f"{row.missing_bits:>12}" + "".join(f"{_cell(x):>16}" for x in cells))
    lines += [
        "",
        f"P(failure)          {_bracket(found.failure)}",
        f"E TV                {_bracket(found.total_variation)}",
        f"P(token covered)    {_bracket(found.covered.share)}, of the masks alone",
        "",
        "All of this is what the checker accepted of certificate.json.",
    ]
    if found.sampled is not None:
        failure, variation = found.sampled.failure, found.sampled.total_variation
        lines.append(
            f"Besides, of {found.sampled.inputs:,} random inputs, with "
            f"confidence {found.sampled.confidence:g}: P(failure) in {_bracket(failure)}, "
            f"E TV in {_bracket(variation)}."
        )
    return lines


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _bracket(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.6g}, {ends[1]:.6g}]"


def figure(found: Record) -> Figure:
    """Margins by missing bits, bounds beside what was seen, and the gates of every unit."""
    return Figure(
        NAME,
        "Every member outranks every token that misses enough bits, for every input. Left: proved "
        "lower bounds of its lead in logits by the least number of missing bits, and the smallest "
        "lead that was found and replayed. Right: for each hidden unit the extremes of its input "
        "with and without an active owner; 0 tells the two apart.",
        _table(found),
        _draw,
    )


def _table(found: Record) -> list[Point]:
    points = []
    for row in found.margins:
        s = float(row.missing_bits)
        values = [
            (Series.SEEN, Kind.MEASURED, row.seen),
            (Series.STRUCTURE, Kind.LOWER_BOUND, row.structure),
            (Series.SEPARATE, Kind.LOWER_BOUND, row.unit_by_unit),
            (Series.PLAIN, Kind.LOWER_BOUND, row.any_number_of_tokens),
        ]
        if row.proved != row.structure:
            values.append((Series.SEARCHED, Kind.LOWER_BOUND, row.proved))
        points += [
            _point(Axis.MARGIN, series, kind, s, value, found)
            for series, kind, value in values
            if value is not None
        ]
    for series, side, kind in (
        (Series.HIT, found.gates.hit, Kind.UPPER_BOUND),
        (Series.MISSED, found.gates.missed, Kind.LOWER_BOUND),
    ):
        for unit, bound in enumerate(side.bound):
            if bound is not None:
                points.append(_point(Axis.GATE, series, kind, float(unit), bound, found))
    return points


def _point(axis: Axis, series: Series, kind: Kind, x: float, y: float, found: Record) -> Point:
    return Point(axis, series, kind, x, y, n=found.n, k=found.k, d=found.d, label=LABELS[series])


def _draw(table: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, ratios=(1.2, 1.0))
    looks = {
        Series.SEEN: ("o", style.INK, 4.5),
        Series.SEARCHED: ("_", style.COLOURS[1], 9.0),
        Series.STRUCTURE: ("^", style.COLOURS[0], 4.0),
        Series.SEPARATE: ("s", style.COLOURS[2], 3.4),
        Series.PLAIN: ("v", style.COLOURS[4], 4.0),
    }
    margins = series_of(table, axis=Axis.MARGIN)
    for series, (marker, colour, size) in looks.items():
        points = margins.get(series, [])
        if not points:
            continue
        left.plot(
            xs(points),
            ys(points),
            linestyle="-" if series in PROVED_CURVES else "none",
            linewidth=0.8,
            marker=marker,
            markersize=size,
            markeredgewidth=1.6 if series is Series.SEARCHED else 0.9,
            markerfacecolor="white" if series is Series.SEEN else colour,
            color=colour,
            label=LABELS[series],
            zorder=4 if series is Series.SEEN else 3,
        )
    left.set_yscale("symlog", linthresh=10.0, linscale=1.5)
    left.axhline(0.0, color=style.GREY, linewidth=0.8)
    left.set_xlabel("missing bits, at least")
    left.set_ylabel("smallest lead of a member, nats")
    gates = series_of(table, axis=Axis.GATE)
    for series, colour, marker in (
        (Series.HIT, style.COLOURS[1], "v"),
        (Series.MISSED, style.COLOURS[0], "o"),
    ):
        ordered = sorted(p.y for p in gates.get(series, []))
        right.plot(
            np.arange(len(ordered)),
            ordered,
            linestyle="none",
            marker=marker,
            markersize=2.6,
            color=colour,
            label=LABELS[series],
        )
    right.axhline(0.0, color=style.GREY, linewidth=0.8)
    right.set_xlabel("hidden unit, sorted")
    right.set_ylabel("input of the unit, signed")
    # outside, where no mark can be taken for a legend's
    for axes, columns in ((left, 2), (right, 1)):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns)
    return fig
