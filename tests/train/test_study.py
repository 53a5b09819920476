"""`python -m train.study --quick`, and faults planted in its results."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.intervals import Count, Mean, Share
from simulate.jobs.panel import DEFAULT, FULL, QUICK
from simulate.rare_failures import RareFailure
from tests.train.panel_jobs import Results, results_of, run_quick
from theory.false_positives import independent_failure_probability
from train.measures import TrainedNetwork, further_failures
from train.measures import behaviour as measured
from train.panels import (
    PANELS,
    VOCABULARY,
    WIDTH,
    recipe_off_by_two,
    trained_failure_against_width,
)
from train.panels.trained_failure_against_width import (
    FEW,
    QUICK_VISITS,
    RECOUNTED,
    Gated,
    Quantity,
    ScaledNetwork,
    counted_again,
    failure_over_gated,
    over_masks,
    small_recipe,
    train_scaled,
)
from train.study import main
from train.training.fit import fit, fresh_inputs
from train.training.loss import failed_on
from train.training.presets import PRESETS
from train.training.scaled import scaled_recipe
from train.training.task import draw

SCALED = trained_failure_against_width.NAME


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_quick(main, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def results(finished: Path) -> Results:
    return results_of(finished, PANELS)


@pytest.fixture(scope="module")
def on_the_width_law(tmp_path_factory: pytest.TempPathFactory) -> list[ScaledNetwork]:
    out = run_quick(main, tmp_path_factory.mktemp("width"), "--sizes", "width")
    return results_of(out, WIDTH)[SCALED]


def test_files(finished: Path) -> None:
    """Every panel has its figure and its numbers; the verdict says what was asked."""
    for name in PANELS:
        for ending in ("csv", "svg"):
            assert (finished / f"{name}.{ending}").stat().st_size > 0
    checks = json.loads((finished / "checks.json").read_text())
    assert {check["panel"] for check in checks} == set(PANELS)
    assert {each["id"] for each in json.loads((finished / "figures.json").read_text())} == set(
        PANELS
    )


def failed(name: str, results: list[Any]) -> int:
    return sum(not check.passed for check in PANELS[name].checks(results))


def behaving(network: TrainedNetwork, **changes: Any) -> TrainedNetwork:
    """The same network with another behaviour."""
    assert network.behaviour is not None
    return replace(network, behaviour=replace(network.behaviour, **changes))


def built(network: TrainedNetwork, **changes: Any) -> TrainedNetwork:
    """The same network with another mechanism."""
    assert network.mechanism is not None
    return replace(network, mechanism=replace(network.mechanism, **changes))


def half_clamp(network: TrainedNetwork) -> TrainedNetwork:
    assert network.mechanism is not None
    units = replace(network.mechanism.units, clamp=32, complement=32, neither=0)
    return built(network, units=units)


@pytest.mark.parametrize(
    ("panel", "fault"),
    [
        ("learned_codes", lambda each: built(each, mask_agreement=0.99)),
        (
            "learned_codes",
            lambda each: behaving(each, total_variation=Mean(0.0501, 1e-4, 100_000)),
        ),
        ("mechanism_map", half_clamp),
        ("controls", lambda each: behaving(each, failure=Count(50_000, 100_000))),
    ],
)
def test_planted_faults(
    results: Results, panel: str, fault: Callable[[TrainedNetwork], TrainedNetwork]
) -> None:
    """Numbers of a worse network fail the checks that the real ones pass."""
    assert failed(panel, results[panel]) == 0
    assert failed(panel, [fault(each) for each in results[panel]]) > 0


def test_failing_more_often_than_random_hashes(results: Results) -> None:
    """The best random hashes fail on 1.585 % here: 700 of 100,000 pass, 1,600 do not."""
    (network,) = results["learned_codes"]
    best = replace(network, recipe=PRESETS["best"])
    best = behaving(best, total_variation=Mean(0.008, 1e-4, 100_000))
    for failures, failing in ((700, 0), (1_600, 1)):
        other = behaving(best, failure=Count(failures, 100_000))
        assert failed("learned_codes", [other]) == failing


class TestTrainedNetworksOnTheWidthLaw:
    """Faults planted in the results of three networks trained by the recipe from sizes."""

    def failing(self, results: list[ScaledNetwork]) -> set[str]:
        checks = WIDTH[SCALED].checks(results)
        return {check.quantity for check in checks if not check.passed}

    def test_the_real_ones_pass(self, on_the_width_law: list[ScaledNetwork]) -> None:
        checks = WIDTH[SCALED].checks(on_the_width_law)
        assert {check.quantity for check in checks} >= {Quantity.OVER_RANDOM, Quantity.SLOPE}
        assert self.failing(on_the_width_law) == set()

    def test_failing_more_often_than_random_hashes(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        worse = [
            replace(each, network=behaving(each.network, failure=Count(90_000, 100_000)), rare=None)
            for each in on_the_width_law
        ]
        assert Quantity.OVER_RANDOM in self.failing(worse)

    def test_the_masks_of_one_network_beside_the_failures_of_another(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        """The estimate through the masks no longer agrees with what was counted."""
        rare = [each.rare for each in on_the_width_law]
        mixed = [
            replace(each, rare=other)
            for each, other in zip(on_the_width_law, rare[1:] + rare[:1], strict=True)
        ]
        assert Quantity.RARE in self.failing(mixed)

    def test_the_textbook_probability_in_place_of_the_exact_one(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        """False positives taken as independent, at the learned number of bits."""
        textbook = []
        for each in on_the_width_law:
            recipe, how = each.recipe, each.network.mechanism
            m = round(how.bits_per_token.mean)
            rate = independent_failure_probability(recipe.n, recipe.k, recipe.d, m)
            textbook.append(replace(each, enumerated=rate))
        assert self.failing(textbook) == {Quantity.MASKS}

    def test_the_gated_weights_of_one_network_beside_another(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        """The weights of one width say nothing of the failures at another."""
        gated = [each.gated for each in on_the_width_law]
        mixed = [
            replace(each, gated=other)
            for each, other in zip(on_the_width_law, gated[1:] + gated[:1], strict=True)
        ]
        assert self.failing(mixed) == {Quantity.GATED}

    def test_failures_over_those_of_the_gated_weights(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        """Counted where either's are frequent, or more than the masks foresee; else foreseen."""
        each = on_the_width_law[-1]
        known, gated_weights = each.rare, each.gated
        assert known is not None
        assert gated_weights is not None

        def ratio(own: int, others: int, foreseen: float, of_gated: float) -> float | None:
            def rare(rate: float) -> RareFailure:
                return replace(known, failure=Share(rate, 1e-9, 100_000), foreseen=1.0)

            gated = replace(gated_weights.behaviour, failure=Count(others, 100_000))
            return failure_over_gated(
                replace(
                    each,
                    network=behaving(each.network, failure=Count(own, 100_000)),
                    rare=rare(foreseen),
                    gated=Gated(gated, rare(of_gated)),
                )
            )

        assert ratio(900, 1_000, 9e-3, 9e-3) == pytest.approx(0.9)
        assert ratio(0, 0, 3e-6, 2e-6) == pytest.approx(1.5)
        # the weights have failures that no mask foresees, and the network has none
        assert ratio(0, 300, 3e-6, 3e-6) == 0.0
        assert ratio(300, 0, 3e-6, 3e-6) == math.inf
        assert ratio(0, 0, 3e-6, 0.0) == math.inf
        assert ratio(0, 0, 0.0, 0.0) is None

    def test_failures_that_no_mask_foresees(self, on_the_width_law: list[ScaledNetwork]) -> None:
        """Where more was counted than the masks foresee, the rate is the counted one."""
        each = on_the_width_law[-1]
        assert each.rare is not None
        few = Count(FEW // 4, 100_000)
        foreseen = Share(few.hits / few.trials / 10, 1e-9, 100_000)
        blind = replace(each.rare, failure=foreseen, foreseen=1.0)
        missing = replace(each, network=behaving(each.network, failure=few), rare=blind)
        assert missing.missed
        assert missing.failure() == few.at(CONFIDENCE)
        assert over_masks(missing) == few.at().value / blind.covered.value
        seen = replace(missing, network=behaving(each.network, failure=Count(0, 100_000)))
        assert not seen.missed
        assert seen.failure() == foreseen.at(CONFIDENCE)

    def test_few_failures_more_than_foreseen_are_counted_again(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        """On further inputs, which alone decide; else chance would let one in some networks pass
        for failing more often than its masks foresee."""
        each = on_the_width_law[-1]
        assert each.rare is not None
        state = fit(small_recipe())
        foreseen = Share(1e-5, 1e-9, 100_000)
        rare = replace(each.rare, failure=foreseen, foreseen=1.0)
        first, few = 2_000, Count(5, 2_000)
        lucky = replace(each, network=behaving(each.network, failure=few), rare=rare)
        assert lucky.missed
        again = counted_again(lucky, state)
        assert again.recounted == further_failures(state, RECOUNTED * first)
        assert again.counted == again.recounted
        cleared = replace(again, recounted=Count(1, RECOUNTED * first))
        assert not cleared.missed
        assert cleared.failure() == foreseen.at(CONFIDENCE)
        confirmed = replace(again, recounted=Count(50, RECOUNTED * first))
        assert confirmed.missed
        assert confirmed.failure() == Count(50, RECOUNTED * first).at(CONFIDENCE)
        # neither where many failed nor where the masks foresee them
        many = behaving(each.network, failure=Count(FEW, 2_000))
        for other in (replace(lucky, network=many), each):
            assert counted_again(other, state) == other

    def test_the_task_counts_again(self) -> None:
        """A network that fails on .2 % of inputs, where its masks foresee .13 %."""
        recipe = scaled_recipe(64, 2, 32, visits=QUICK_VISITS)
        each = train_scaled(np.random.default_rng(0), recipe, 2_000, "cpu")
        assert each.network.behaviour is not None
        first = each.network.behaviour.failure
        assert 0 < first.hits < FEW
        assert each.recounted is not None
        assert each.recounted.trials == RECOUNTED * first.trials
        assert each.missed

    def test_further_failures_are_of_other_inputs(self) -> None:
        """As many as the network has on them, the same at each call, and of a stream of its own."""
        state = fit(small_recipe())
        task = state.recipe.task()
        found = further_failures(state, 12_345)
        generator = fresh_inputs(state, further=1)
        parts = [draw(task, size, generator) for size in (10_000, 2_345)]
        assert found == Count(
            sum(int(failed_on(state.model, task, p).sum()) for p in parts), 12_345
        )
        assert found == further_failures(state, 12_345)
        seen = draw(task, 10_000, fresh_inputs(state)).tokens
        assert not torch.equal(parts[0].tokens, seen)
        # two streams of one network agree in rate
        of_seen = measured(state).failure
        low, high = of_seen.at(CONFIDENCE).interval
        lowest, highest = found.at(CONFIDENCE).interval
        assert low <= highest
        assert lowest <= high

    def test_one_heavy_failure_sets_no_rate(self, on_the_width_law: list[ScaledNetwork]) -> None:
        """What importance sampling met beside the masks is left to the count, which knows more."""
        each = on_the_width_law[-1]
        assert each.rare is not None
        rare = replace(each.rare, failure=Share(2e-4, 1.6e-4, 25_000), foreseen=0.2)
        found = replace(
            each, network=behaving(each.network, failure=Count(2, 100_000)), rare=rare
        ).failure()
        assert found.value == pytest.approx(4e-5)
        relative = rare.covered.standard_error / rare.covered.value
        assert found.standard_error == pytest.approx(4e-5 * relative)

    def test_a_network_that_diverged_is_not_passed_over(
        self, on_the_width_law: list[ScaledNetwork]
    ) -> None:
        first, *others = on_the_width_law
        lost = replace(first.network, behaviour=None, mechanism=None)
        gone = [ScaledNetwork(lost, None, None), *others]
        assert Quantity.OVER_RANDOM in self.failing(gone)
        over = [
            point
            for point in WIDTH[SCALED].table(gone)
            if point.axis == trained_failure_against_width.Axis.OVER_RANDOM
        ]
        assert len(over) == len(gone)

    def test_another_slope(self, on_the_width_law: list[ScaledNetwork]) -> None:
        """The widest network failing as often as the narrowest one makes the slope flat."""
        first = on_the_width_law[0].network.behaviour
        flat = [
            replace(each, network=replace(each.network, behaviour=first), rare=None)
            for each in on_the_width_law
        ]
        assert Quantity.SLOPE in self.failing(flat)


def test_a_vocabulary_in_small(tmp_path: Path) -> None:
    """The script for a GPU, in bfloat16 on the CPU: it trains, measures and judges."""
    out = run_quick(main, tmp_path, "--sizes", "vocabulary")
    (network,) = results_of(out, VOCABULARY)[SCALED]
    assert network.recipe.precision == "bfloat16"
    assert network.rare is not None


def test_a_recipe_that_is_off_is_told_by_what_was_changed() -> None:
    """Each rate and scale by itself, halved and doubled; names and recipes are all different."""
    for effort in (QUICK, DEFAULT):
        own = recipe_off_by_two.base(effort)
        recipes = recipe_off_by_two.recipes(effort)
        assert len({*recipes.values()}) == len(recipes) == 11
        for key, recipe in recipes.items():
            assert recipe_off_by_two.change(own, recipe) == key
        names = [task.name for task in recipe_off_by_two.tasks(effort)]
        assert len({*names}) == len(names)


def test_every_effort_has_its_own_names() -> None:
    """Tasks can share a journal: no name twice, no recipe out of its range."""
    for effort in (QUICK, DEFAULT, FULL):
        names = [task.name for panel in PANELS.values() for task in panel.tasks(effort)]
        assert len(names) == len({*names})
