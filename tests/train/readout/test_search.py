"""The search finds planted masks in any linear basis, and nothing where nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from theory.domain import DomainError
from train.readout import controls
from train.readout.control_searches import Control, Planted
from train.readout.parts import Parts
from train.readout.search import best_threshold, climbs
from train.readout.two_level import (
    Power,
    TwoLevel,
    Verdict,
    judged,
    power_at,
    search_with_controls,
)
from train.readout.whiten import whiten

NETWORKS = Path("reports/evidence/networks")
N, D = 800, 12


def directions(vectors: np.ndarray, seed: int = 0, starts: int = 160) -> int:
    rng = np.random.default_rng(seed)
    return climbs(rng, whiten(rng, vectors), starts).distinct(99, found=True).size


def planted(seed: int, density: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, 7])
    masks = controls.random_masks(rng, N, (density,) * D)
    return masks, controls.mask_code(rng, masks, D, noise)


@pytest.mark.parametrize("density", [0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_masks_are_recovered(density: float, noise: float, seed: int) -> None:
    masks, vectors = planted(seed, density, noise)
    rng = np.random.default_rng(seed)
    tokens = whiten(rng, vectors)
    again = controls.recovered(tokens, climbs(rng, tokens, 320), masks)
    assert again.mean() >= 0.75


def test_masks_are_recovered_among_heavy_tails() -> None:
    rng = np.random.default_rng(1)
    tails = rng.standard_t(3, size=(2000, 16)).astype(np.float32)
    masks = controls.random_masks(rng, 2000, (0.1, 0.3))
    tokens = whiten(rng, controls.planted_within(rng, whiten(rng, tails).all, masks, 0.2))
    assert controls.recovered(tokens, climbs(rng, tokens, 320), masks).all()


def test_nothing_is_found_where_nothing_is() -> None:
    """No find in 24 searches of nulls; at a rate of 12 % they would be silent by chance in 5 %."""
    for seed in range(8):
        rng = np.random.default_rng([seed, 3])
        tails = rng.standard_t(4, size=(N, D)).astype(np.float32)
        white = whiten(rng, tails).all
        for null in (
            controls.gaussian(rng, N, D),
            controls.shuffled(rng, white),
            controls.covariance_matched(rng, white),
        ):
            assert directions(null, seed) == 0


@pytest.mark.slow
def test_the_rate_of_false_alarms() -> None:
    """None in 300 searches: below 1 % with 95 % confidence."""
    for seed in range(300):
        rng = np.random.default_rng([seed, 4])
        assert directions(controls.gaussian(rng, N, D), seed) == 0


def test_one_heavy_tailed_mode_is_not_two_levels() -> None:
    """Few tokens spread evenly over a long tail: two levels explain much of it."""
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((4000, 6)).astype(np.float32)
    tail = rng.random(4000) < 0.05
    vectors[:, 0] = 0.02 * vectors[:, 0] + np.where(tail, 10.0 * rng.random(4000), 0.0)
    found = climbs(rng, whiten(rng, vectors), 160)
    assert found.explained.max() > 0.8
    assert not found.two_level.any()


@pytest.mark.parametrize("seed", range(3))
def test_the_search_is_the_same_in_every_linear_basis(seed: int) -> None:
    _, vectors = planted(seed, 0.2, 0.2)
    rng = np.random.default_rng([seed, 8])
    rotation = controls.orthonormal(rng, D, D)
    # condition number of hundreds
    linear = rotation * np.geomspace(0.03, 10.0, D, dtype=np.float32)
    linear = linear @ controls.orthonormal(rng, D, D)
    counts = {directions(vectors @ change) for change in (np.eye(D), rotation, linear)}
    assert len(counts) == 1
    assert counts.pop() >= 9


def test_whitening_leaves_mean_zero_and_unit_covariance_and_the_rank() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 3)) @ rng.standard_normal((3, 5)) + 7.0
    tokens = whiten(rng, vectors)
    assert tokens.search.shape == (240, 3)
    np.testing.assert_allclose(tokens.search.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(tokens.search.T @ tokens.search / 240, np.eye(3), atol=1e-3)
    with pytest.raises(DomainError, match="at least 10 tokens"):
        whiten(rng, vectors[:9])
    with pytest.raises(DomainError, match="differ"):
        whiten(rng, np.ones((20, 4)))


def test_the_best_threshold_is_that_of_all_cuts() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        values = rng.standard_normal(12)
        between = []
        for cut in np.sort(values)[:-1]:
            high = values > cut
            gap = values[high].mean() - values[~high].mean()
            between.append(high.mean() * (1 - high.mean()) * gap**2)
        ordered = np.sort(values)
        best = int(np.argmax(between))
        wanted = (ordered[best] + ordered[best + 1]) / 2
        assert best_threshold(values[:, None])[0] == pytest.approx(wanted)


def test_a_case_without_power_says_so() -> None:
    rng = np.random.default_rng(3)
    result = search_with_controls(
        rng.standard_normal((60, 30), dtype=np.float32), starts=50, jobs=1
    )
    assert result.verdict is Verdict.NO_POWER
    assert result.sentence == "no power"
    assert all(power.power < 0.5 for power in result.power)


def test_the_verdict_of_a_normal_code_and_its_parts(tmp_path: Path) -> None:
    vectors = np.random.default_rng(4).standard_normal((600, 8), dtype=np.float32)

    def result(resume: bool, jobs: int) -> TwoLevel:
        parts = Parts(tmp_path, resume)
        return search_with_controls(vectors, starts=60, jobs=jobs, parts=parts)

    first = result(False, 1)
    assert first.verdict is Verdict.NOT_FOUND
    assert first.sentence.startswith("not found (power ")
    assert first.directions == ()
    assert {null.control for null in first.nulls} == {
        Control.GAUSSIAN,
        Control.SHUFFLED,
        Control.COVARIANCE_MATCHED,
    }
    # from the kept parts, or anew on two threads, the same
    assert result(True, 1) == first
    assert result(False, 2) == first


def test_the_verdict_is_the_same_in_another_linear_basis() -> None:
    rng = np.random.default_rng(9)
    code = controls.mask_code(rng, controls.random_masks(rng, 600, (0.2,) * 6), 6, 0.1)
    normal = controls.gaussian(rng, 600, 6)
    change = controls.orthonormal(rng, 6, 6) * np.geomspace(0.1, 10.0, 6, dtype=np.float32)
    change = change @ controls.orthonormal(rng, 6, 6)
    for vectors, verdict in ((code, Verdict.FOUND), (normal, Verdict.NOT_FOUND)):
        results = [search_with_controls(each, starts=60) for each in (vectors, vectors @ change)]
        assert [each.verdict for each in results] == [verdict] * 2
        assert len({len(each.directions) for each in results}) == 1


def test_masks_that_are_found_together_leave_the_power_open() -> None:
    """All of one code and none of another: no more than two independent searches say."""

    def masks(control: Control, planted: int, *recovered: int) -> list[Planted]:
        return [Planted(control, 0.1, 0.2, planted, planted, each) for each in recovered]

    within = masks(Control.WITHIN, 2, 2, 2, 2)
    apart = power_at(0.1, [*masks(Control.CODE, 50, 50, 0), *within])
    assert (apart.power, apart.code, apart.within) == (0.5, 0.5, 1.0)
    assert (apart.planted, apart.searches) == (100, 2)
    assert apart.low < 0.05
    assert apart.high > 0.95
    alike = power_at(0.1, [*masks(Control.CODE, 50, *[25] * 20), *within])
    assert 0.45 < alike.low < 0.5 < alike.high < 0.55
    weaker = power_at(0.1, [*masks(Control.CODE, 50, 50, 50), *masks(Control.WITHIN, 2, 1, 1, 1)])
    assert (weaker.power, weaker.planted, weaker.searches) == (0.5, 6, 3)


def test_the_verdict_weighs_finds_against_false_alarms_and_power() -> None:
    powers = [Power(0.1, 0.9, 0.9, 0.95, 0.8, 1.0, 40), Power(0.5, 0.1, 0.1, 0.2, 0.0, 0.3, 40)]
    assert judged(2, 0, powers) == (Verdict.FOUND, "found")
    assert judged(1, 1, powers)[1] == "not found (power 0.90 at densities 10 %)"
    assert judged(0, 0, powers[1:]) == (Verdict.NO_POWER, "no power")


@pytest.mark.parametrize("name", ["source", "complement"])
def test_trained_networks_of_both_mechanisms_are_found_in_a_random_basis(name: str) -> None:
    pytest.importorskip("torch")
    from train.readout.files import open_readout

    readout = open_readout(NETWORKS / name)
    change = np.random.default_rng(6).standard_normal((readout.d, readout.d)).astype(np.float32)
    assert directions(readout.vectors @ change, starts=320) >= 32
