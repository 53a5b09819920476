"""The record of a proof as plain data, its summary, and its figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.jobs.panel import Point, series_of
from train.analysis.figure import AnalysisFigure
from train.analysis.report import plain
from train.certificate.gates import Statement
from train.certificate.proof import CONFIDENCE, Proof, replayed
from train.certificate.search import Witness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 1
SEEN, SEARCHED, STRUCTURE, SEPARATE, PLAIN = (
    "smallest seen",
    "proved, all inputs",
    "proved, structure",
    "unit by unit",
    "any number of tokens",
)
HIT, MISSED = "largest when owned", "smallest when not"


def record(proof: Proof) -> dict[str, Any]:
    """What certify.json holds; None for what is not finite, such as margins that cannot occur."""
    form, searched, levels = proof.form, proof.searched, proof.levels
    follows = proof.consequences
    failure, variation = [follows.failure], [follows.total_variation]
    sampled: dict[str, Any] | None = None
    if searched.how == "all inputs":
        failure.append(searched.failure)
        variation.append(searched.total_variation)
    elif searched.how == "sample":
        sampled = {
            "inputs": searched.inputs,
            "confidence": CONFIDENCE,
            "failure": searched.failure,
            "total_variation": searched.total_variation,
        }
    margin = proof.margins
    return plain(
        {
            "schema": SCHEMA,
            "n": form.n,
            "k": form.k,
            "d": form.network.d,
            "h": form.h,
            "c": form.c,
            "smallest_level": proof.smallest_level,
            "structural": proof.structural,
            # the checker derives margins where all gates hold, or looks at every input
            "in_certificate": proof.structural or searched.how == "all inputs",
            "tokens_at_level": _tokens_at(proof.smallest_level, form.owners),
            "sharp": follows.sharp,
            "gates": {
                "units": form.h,
                "proved": int(proof.gates.proved.sum()),
                "hit": _statement(proof.gates.hit),
                "missed": _statement(proof.gates.missed),
            },
            "margins": [
                {
                    "missing_bits": s,
                    "proved": margin[s],
                    "structure": levels.margin[s],
                    "unit_by_unit": proof.separate.margin[s],
                    "any_number_of_tokens": proof.plain.margin[s],
                    **_seen(proof, s),
                }
                for s in range(len(margin))
            ],
            "member_spread": levels.member_spread,
            "covered_gap": levels.covered_gap,
            "certified_share": levels.certified_share,
            "units": {
                "owners": form.owners.sum(axis=0),
                "sign": form.sign,
                "hit_high": levels.hit_high,
                "missed_low": levels.missed_low,
                "missed_high": levels.missed_high,
            },
            "uncovered_total_variation": follows.uncovered_tv,
            "covered": {"share": proof.masks.share, "mean_tokens": proof.masks.tokens},
            "failure": _intersection(failure),
            "total_variation": _intersection(variation),
            "sampled": sampled,
            "searched": {
                "how": searched.how,
                "inputs": searched.inputs,
                "boxes": searched.boxes,
                "levels": searched.levels,
            },
        }
    )


def _tokens_at(level: int | None, owners: np.ndarray) -> int | None:
    """How many tokens own so many units that they can miss as many bits."""
    return None if level is None else int((owners.sum(axis=1) >= level).sum())


def _statement(statement: Statement) -> dict[str, Any]:
    counted = np.isfinite(statement.bound)
    return {
        "proved": int(statement.holds.sum()),
        "refuted": int((~statement.holds).sum()),
        "bound": np.where(counted, statement.bound, np.nan),
    }


def _seen(proof: Proof, s: int) -> dict[str, Any]:
    """The smallest margin that was seen, in the real network, and where."""
    witnesses = proof.searched.witnesses
    witness = witnesses[s] if 0 < s < len(witnesses) else Witness()
    if not math.isfinite(witness.margin):
        return {"seen": None, "at": None}
    at = {
        "tokens": witness.tokens,
        "alpha": witness.alpha,
        "member": witness.member,
        "other": witness.other,
    }
    return {"seen": float(replayed(proof.form.network, witness)), "at": at}


def _intersection(brackets: Sequence[tuple[float, float]]) -> tuple[float, float]:
    lows, highs = zip(*brackets, strict=True)
    return max(lows), min(highs)


def summary(found: Mapping[str, Any]) -> list[str]:
    """A page of text."""
    sizes = ", ".join(f"{name} = {found[name]}" for name in "nkdh")
    level, gates, searched = found["smallest_level"], found["gates"], found["searched"]
    if level is None:
        theorem = "not proved: no level of missing bits is safe"
    elif level == 1:
        theorem = "proved: every member outranks every token that misses a bit"
    else:
        theorem = f"proved: every member outranks every token that misses {level} bits or more"
    how = "from the structure of the weights alone"
    if searched["how"] == "all inputs":
        how = f"over all {searched['inputs']:,} inputs, {searched['boxes']:,} boxes"
    elif level is not None and not found["in_certificate"]:
        how += "; derived here, not in the certificate"
    if level is not None:
        how_many = f"; {found['tokens_at_level']} of {found['n']} tokens own so many units"
    else:
        how_many = ""
    lines = [
        f"{found['checkpoint']}: {sizes}, c = {found['c']:g}",
        "",
        f"no false negatives  {theorem}",
        f"                    {how}; all alpha in [1, c]{how_many}",
        f"gates               {gates['proved']} of {gates['units']} units are off whenever owned "
        "and on whenever not",
        f"                    off when owned: {gates['hit']['proved']} proved, "
        f"{gates['hit']['refuted']} refuted; on when not: {gates['missed']['proved']} proved, "
        f"{gates['missed']['refuted']} refuted",
        "",
        "missing bits   proved margin   smallest seen    unit by unit  any number of tokens",
    ]
    for row in found["margins"][:6]:
        cells = (row["proved"], row["seen"], row["unit_by_unit"], row["any_number_of_tokens"])
        lines.append(f"{row['missing_bits']:>12}" + "".join(f"{_cell(x):>16}" for x in cells))
    lines += [
        "",
        f"P(failure)          {_bracket(found['failure'])}",
        f"E TV                {_bracket(found['total_variation'])}",
        f"P(token covered)    {_bracket(found['covered']['share'])}, of the masks alone",
    ]
    if found["sampled"] is not None:
        sampled = found["sampled"]
        lines.append(
            f"P(failure)          {_bracket(sampled['failure'])} with confidence "
            f"{sampled['confidence']:g}, from {sampled['inputs']:,} inputs"
        )
    return lines


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _bracket(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.6g}, {ends[1]:.6g}]"


def figure(found: Mapping[str, Any]) -> AnalysisFigure:
    """Margins by missing bits, bounds beside what was seen, and the gates of every unit."""
    return AnalysisFigure(
        "certificate",
        (),
        "Left: the smallest lead of a member's logit over a token's, by the least number of bits "
        "that the token misses: lower bounds that hold for every input and coefficient, from the "
        "structure of the weights, the same if each unit were at its own worst input and if any "
        "number of tokens could be active, and from all inputs; and the smallest that was found "
        "and replayed. Right: for each hidden unit the extremes of its "
        "input, signed so that owners push it down, over all inputs with and without an active "
        "owner; a unit between them at 0 tells the two apart without exception.",
        _table(found),
        _draw,
    )


def _table(found: Mapping[str, Any]) -> list[Point]:
    sizes = {letter: found[letter] for letter in "nkd"}
    points = []
    enumerated = found["searched"]["how"] == "all inputs"
    for row in found["margins"]:
        s = float(row["missing_bits"])
        values = [
            (SEEN, "replayed", row["seen"]),
            (STRUCTURE, "lower bound", row["structure"]),
            (SEPARATE, "lower bound", row["unit_by_unit"]),
            (PLAIN, "lower bound", row["any_number_of_tokens"]),
        ]
        if enumerated and row["proved"] != row["structure"]:
            values.append((SEARCHED, "lower bound", row["proved"]))
        points += [
            Point("margin", series, kind, s, value, **sizes)
            for series, kind, value in values
            if value is not None
        ]
    for series, name, kind in ((HIT, "hit", "upper bound"), (MISSED, "missed", "lower bound")):
        for unit, value in enumerate(found["gates"][name]["bound"]):
            if value is not None:
                points.append(Point("gate", series, kind, float(unit), value, **sizes))
    return points


def _draw(table: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, ratios=(1.2, 1.0))
    looks = {
        SEEN: ("o", style.INK, 4.5),
        SEARCHED: ("_", style.COLOURS[1], 9.0),
        STRUCTURE: ("^", style.COLOURS[0], 4.0),
        SEPARATE: ("s", style.COLOURS[2], 3.4),
        PLAIN: ("v", style.COLOURS[4], 4.0),
    }
    margins = series_of(table, axis="margin")
    for series, (marker, colour, size) in looks.items():
        points = margins.get(series, [])
        if not points:
            continue
        left.plot(
            [p.x for p in points],
            [p.y for p in points],
            linestyle="-" if series in (STRUCTURE, SEPARATE, PLAIN) else "none",
            linewidth=0.8,
            marker=marker,
            markersize=size,
            markeredgewidth=1.6 if series == SEARCHED else 0.9,
            markerfacecolor="white" if series == SEEN else colour,
            color=colour,
            label=series,
            zorder=4 if series == SEEN else 3,
        )
    left.set_yscale("symlog", linthresh=10.0, linscale=1.5)
    left.axhline(0.0, color=style.GREY, linewidth=0.8)
    left.set_xlabel("missing bits, at least")
    left.set_ylabel("smallest lead of a member, nats")
    gates = series_of(table, axis="gate")
    for series, colour, marker in ((HIT, style.COLOURS[1], "v"), (MISSED, style.COLOURS[0], "o")):
        ordered = sorted(p.y for p in gates.get(series, []))
        right.plot(
            np.arange(len(ordered)),
            ordered,
            linestyle="none",
            marker=marker,
            markersize=2.6,
            color=colour,
            label=series,
        )
    right.axhline(0.0, color=style.GREY, linewidth=0.8)
    right.set_xlabel("hidden unit, sorted")
    right.set_ylabel("input of the unit, signed")
    # outside, where no mark can be taken for a legend's
    for axes in (left, right):
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2 if axes is left else 1)
    return fig
