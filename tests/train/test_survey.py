"""`python -m train.survey --quick`, its panels on known results, planted faults."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from simulate.constructions import clamp
from simulate.jobs import tasks as sweep
from simulate.jobs.checks import MOST_FALSE_ALARM
from simulate.jobs.intervals import Count, Mean
from simulate.jobs.panel import DEFAULT, FULL, QUICK
from simulate.jobs.table import Kind
from tests.train.panel_jobs import Results, results_of, run_quick
from tests.train.subjects import hashes_for
from train.analysis import mechanism, prediction, uniformity
from train.analysis.behaviour import draw_sample
from train.analysis.outcomes import hashes_of
from train.analysis.prediction import Quantity, Source
from train.analysis.prediction_figures import comparison_id
from train.measures import Behaviour, Mechanism, Spread, TrainedNetwork
from train.panels import SURVEY, formation, learned_density, predicted_against_measured
from train.panels.analysed import AnalysedNetwork, Covered, Dissection
from train.panels.formation import Formation, Moment, lag, moments, step_at, values
from train.panels.learned_density import Series, Swept, exponent
from train.panels.predicted_against_measured import Axis
from train.reading.masks import extract
from train.reading.subject import Subject
from train.survey import main
from train.training.recipe import Recipe


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_quick(main, tmp_path_factory.mktemp("survey"))


@pytest.fixture(scope="module")
def results(finished: Path) -> Results:
    return results_of(finished, SURVEY)


def test_files(finished: Path) -> None:
    """Every panel has its figure and its numbers."""
    for name in SURVEY:
        for ending in ("csv", "svg"):
            assert (finished / f"{name}.{ending}").stat().st_size > 0
    checks = json.loads((finished / "checks.json").read_text())
    assert len(checks) >= 2


def test_shared_networks_are_trained_once(finished: Path) -> None:
    """Two panels read the same results; the journal has each once."""
    lines = (finished / "results.jsonl").read_text().splitlines()[1:]
    names = [json.loads(line)["task"] for line in lines]
    asked = [task.name for panel in SURVEY.values() for task in panel.tasks(QUICK)]
    assert len(names) == len({*names}) < len(asked)
    assert {*names} == {*asked}


@pytest.mark.parametrize("effort", [QUICK, DEFAULT, FULL], ids=lambda effort: effort.name)
def test_every_effort(effort) -> None:
    """Equal names are equal tasks, and the checks stay within the false-alarm budget."""
    tasks = [task for panel in SURVEY.values() for task in panel.tasks(effort)]
    assert len(sweep.distinct(tasks)) < len(tasks)
    networks = len(predicted_against_measured.tasks(effort))
    assert effort is QUICK or networks >= 30
    assert 2 * networks * 1e-6 < MOST_FALSE_ALARM


def some_network(recipe: Recipe, density: float = 0.3, verdict: str = "clamp") -> TrainedNetwork:
    """What was recorded of a network, all of it made up."""
    mean = Mean(0.01, 1e-4, 1000)
    units = mechanism.UnitCounts(clamp=recipe.d, complement=0, neither=0, dead=0, always_on=0)
    how = Mechanism(
        verdict=mechanism.Verdict(verdict),
        units=units,
        mask_agreement=1.0,
        score=1.0,
        density=density,
        bits_per_token=Spread(density * recipe.d, 0.0),
        tokens_per_unit=Spread(density * recipe.n, 0.0),
        embedding_rms=1.0,
        layer_eigenvalue=-1.0,
    )
    return TrainedNetwork(recipe, Behaviour(Count(10, 1000), mean, mean, mean), how)


def test_masks_with_a_flipped_bit_fail() -> None:
    """The exact law of masks that are not the network's is not what its own do."""
    network, k, rng = clamp(hashes_for(24, 28, 3), beta=8.0), 3, np.random.default_rng(0)
    masks, subject = extract(network, k, 2.0), Subject(network, k, 2.0)
    sample = draw_sample(subject, hashes_of(masks), rng, 50_000)
    counted = sample.outcomes.false_positives

    def failed(judged) -> int:
        found = Dissection(
            prediction.analyse(subject, judged, rng, 50_000, sample).record.comparisons,
            Covered(Count.of(counted > 0), Mean.of(counted)),
            uniformity.analyse(subject, masks, rng, 64),
            mechanism.analyse(subject, masks, rng, 64).record,
        )
        made = AnalysedNetwork(some_network(Recipe(n=24, k=k, d=28)), found)
        checks = predicted_against_measured.checks([made])
        assert len(checks) == 2
        return sum(not check.passed for check in checks)

    assert failed(masks) == 0
    flipped = copy.deepcopy(masks)
    token = 14  # a bit fewer, and its hash is covered so often that the rate grows by a third
    flipped.read[token, flipped.read[token].argmax()] = False
    assert failed(flipped) == 2


def dissected_as(each: AnalysedNetwork, **changes: object) -> AnalysedNetwork:
    assert each.dissection is not None
    return replace(each, dissection=replace(each.dissection, **changes))


@pytest.mark.parametrize("failing", [0, 20_000])
def test_other_counts_fail(results: Results, failing: int) -> None:
    panel = SURVEY["predicted_against_measured"]
    own = results[panel.name]
    assert all(check.passed for check in panel.checks(own))
    worse = [
        dissected_as(
            each,
            covered=replace(each.dissection.covered, failing=Count(failing, 20_000)),
        )
        for each in own
    ]
    checks = panel.checks(worse)
    assert not any(
        check.passed for check in checks if check.quantity == Quantity.MECHANISTIC_FAILURE_RATE
    )


def test_an_exact_filter_that_lets_one_pass_fails(results: Results) -> None:
    """Of held-out sets or of others."""
    panel = SURVEY["covered_inputs"]
    own = results[panel.name]
    assert [check.passed for check in panel.checks(own)] == [True] * 2 * len(own)
    for place in range(2):
        worse = copy.deepcopy(own)
        for each in worse:
            way = each.ways[place]
            way.failing[-1] = round(0.98 * way.inputs)
        assert sum(not check.passed for check in panel.checks(worse)) == len(own)


def test_shares_inside_are_counted(results: Results) -> None:
    """A prediction moved out of every interval is inside none."""
    panel = SURVEY["predicted_against_measured"]
    series = comparison_id(Quantity.MECHANISTIC_FAILURE_RATE, Source.MASKS)

    def inside(of: list[AnalysedNetwork]) -> float:
        (point,) = (p for p in panel.table(of) if (p.axis, p.series) == (Axis.INSIDE, series))
        return float(point.y)

    own = results[panel.name]
    moved = [
        dissected_as(
            each,
            comparisons=[replace(row, inside=False) for row in each.dissection.comparisons],
        )
        for each in own
    ]
    assert inside(moved) == 0.0
    assert inside(own) > 0.0


def test_diverged_networks_are_left_out(results: Results) -> None:
    """Every panel draws what is left."""
    lost = TrainedNetwork(Recipe(), None, None)
    without = {
        "covered_inputs": lambda first: replace(first, network=lost, ways=[]),
        "learned_density": lambda first: lost,
        "formation": lambda first: replace(first, moments=[]),
    }
    for name, panel in SURVEY.items():
        first, *rest = results[name]
        make = without.get(name, lambda first: AnalysedNetwork(lost, None))
        assert panel.checks([make(first), *rest]) == panel.checks(rest)
        panel.figure([make(first), *rest]).rendered(("svg",))
        assert len(rest) > 0


def test_the_exponent_of_a_power_law() -> None:
    """Exact on a power; its interval holds the truth for 95 % of noisy ones."""
    x = np.repeat([32.0, 48.0, 64.0, 96.0], 3)
    exact = exponent(x, 3.0 * x**-0.7)
    assert exact.value == pytest.approx(-0.7)
    rng = np.random.default_rng(0)
    noisy = [exponent(x, 3.0 * x**-0.7 * np.exp(0.1 * rng.normal(size=12))) for _ in range(1000)]
    # 950 ± 5 standard deviations of 6.9
    assert 915 <= sum(each.contains(-0.7) for each in noisy) <= 985


def test_densities_follow_what_is_planted() -> None:
    """Each sweep finds its own power; networks that are no clamp are counted, not fitted."""
    recipes = [task.arguments["recipe"] for task in learned_density.tasks(DEFAULT)]
    planted = [some_network(recipe, 0.3 / recipe.k) for recipe in recipes]
    planted[0] = some_network(recipes[0], 0.3 / recipes[0].k, verdict="none")
    points = learned_density.table(planted)
    power = {p.axis: p.y for p in points if p.series == Series.POWER and p.kind == Kind.FITTED}
    assert power.pop(Swept.K) == pytest.approx(-1.0)
    assert len(power) == len(Swept) - 1
    assert all(abs(each) < 1e-9 for each in power.values())
    left_out = {p.axis: p.y for p in points if p.series == Series.LEFT_OUT}
    assert left_out[Swept.K] == 1
    assert sum(left_out.values()) == 1
    learned_density.draw(points)


def test_moments_end_at_the_last_step() -> None:
    for steps, count in ((1, 5), (10, 30), (12_000, 100)):
        found = moments(steps, count)
        assert found[:2] == [0, 1]
        assert found[-1] == steps
        assert found == sorted({*found})
        assert len(found) <= count + 1


def test_step_at() -> None:
    """Interpolated in the logarithm; the last crossing counts; at once is the first moment."""
    step = [0, 1, 2, 4, 8]
    assert step_at(step, np.array([1.0, 1.0, 1.0, 0.0, 0.0])) == pytest.approx(2 * 2**0.5)
    assert step_at(step, np.array([0.0, 1.0, 0.0, 0.0, 1.0])) == pytest.approx(4 * 2**0.5)
    assert step_at(step, np.array([0.0, 1.0, 1.0, 1.0, 1.0])) == 1.0
    assert step_at(step, np.array([1.0, 1.0, 1.0, 1.0, 1.0])) == 1.0


def test_lags_are_told_apart() -> None:
    """Modes that part two doublings after the loss, an agreement one doubling before it."""
    step = np.array([0, *2 ** np.arange(10)])

    def after(power: int) -> list[float]:
        return (step >= 2**power).astype(float).tolist()

    courses = {
        "kl": [math.log(50) * (1 - each) for each in after(5)],
        "two_modes": after(7),
        "agreement": after(4),
        "clamp": after(6),
    }
    others = dict.fromkeys(
        ("total_variation", "failure_rate", "separation", "score", "complement", "density"), 0.0
    )
    seen = [
        Moment(step=at, **{name: course[place] for name, course in courses.items()}, **others)
        for place, at in enumerate(step.tolist())
    ]
    run = Formation(formation.Mechanism.CLAMP, Recipe(n=100, k=2), seen)
    assert lag(run, formation.Quantity.TWO_MODES) == pytest.approx(2.0)
    assert lag(run, formation.Quantity.AGREEMENT) == pytest.approx(-1.0)
    assert lag(run, formation.Quantity.ORIENTED) == pytest.approx(1.0)
    expected = math.log2(2 ** (4 + 0.9) / 2 ** (4 + 0.5))
    assert lag(run, formation.Quantity.KL) == pytest.approx(expected)
    worse = replace(run, moments=[replace(seen[0], kl=100.0), *seen[1:]])
    assert values(worse, formation.Quantity.KL)[0] == 1.0


def test_a_look_at_a_network() -> None:
    """A construction agrees in full; shuffled outputs agree no more than by chance."""
    network, recipe, measured = clamp(hashes_for(80, 16, 4)), Recipe(n=80, k=3, d=16), (0.0,) * 3
    seen = formation.look(network, recipe, 0, measured)
    assert seen.agreement == seen.score == seen.clamp == seen.two_modes == 1.0
    assert seen.density == 0.25
    assert seen.complement == 0.0
    order = np.random.default_rng(0).permutation(80)
    other = replace(network, W_U=network.W_U[:, order])
    shuffled = formation.look(other, recipe, 0, measured)
    assert abs(shuffled.agreement) < 0.2
    assert shuffled.clamp == 0.0
