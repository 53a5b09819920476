"""The series of networks on the width law, as claim 12b names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.claims import CLAIMS, trained_series
from reports.claims.sources import TRAINED_WIDTHS
from reports.ledger import Row, judge
from reports.results import Results
from simulate.jobs.table import Kind
from tests.reports.planted import Planted
from train.panels.trained_failure_against_width import Axis, ScaledPoint
from train.training.recipe import Start

SAVED = Results(Path("reports/evidence"))


def network(
    n: int = 512, k: int = 3, start: Start = "clamp", seed: int = 0, axis: Axis = Axis.OVER_RANDOM
) -> ScaledPoint:
    return ScaledPoint(axis, "", Kind.TRAINED, 64, 1.0, n=n, k=k, d=64, start=start, seed=seed)


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([], "no size"),
        ([network()], "(n, k) = (512, 3)"),
        ([network(), network(1024, 4)], "(n, k) = (512, 3) and (1,024, 4)"),
        (
            [network(start="gaussian"), network(), network(1024, 4), network(4096, 8)],
            "(n, k) = (512, 3), (1,024, 4) and (4,096, 8), and (512, 3) with a layer that starts "
            "from noise",
        ),
        ([network(start="gaussian")], "(n, k) = (512, 3) with a layer that starts from noise"),
    ],
    ids=len,
)
def test_series_are_named_together(series: list[ScaledPoint], said: str) -> None:
    assert trained_series.said_together([each, network(seed=1)] for each in series) == said


def test_rows_of_the_same_network() -> None:
    """Another axis, seed, start or size is none of it."""
    own = network(axis=Axis.BITS)
    others = [
        network(),
        network(seed=1, axis=Axis.BITS),
        network(start="gaussian", axis=Axis.BITS),
        network(n=1024, axis=Axis.BITS),
    ]
    fits = trained_series.of_the_same(network(), Axis.BITS)
    assert [row for row in (own, *others) if fits(row)] == [own]


def law(results: Results) -> Row:
    return judge(next(claim for claim in CLAIMS if claim.key == "12b"), results)


def test_the_network_that_fails_most_may_have_no_bits() -> None:
    """One without hashes is named by its sizes alone, and the verdict is as before."""
    rows = SAVED.read(TRAINED_WIDTHS)
    kept = [row for row in rows if row.axis == Axis.OVER_RANDOM and row.start == "clamp"]
    fits = trained_series.of_the_same(max(kept, key=lambda row: row.y), Axis.BITS)
    (at,) = (at for at, row in enumerate(rows) if fits(row))
    before = law(SAVED)
    after = law(Planted(SAVED, TRAINED_WIDTHS.file, {(at, "axis"): Axis.KL}))
    named = f"times, at n = {rows[at].n:,}, k = {rows[at].k}, d = {rows[at].d}"
    assert f"{named}, where a token has {rows[at].y:.1f} bits" in before.limit
    assert f"{named}. " in after.limit
    assert after.verdict == before.verdict
