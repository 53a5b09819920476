"""Trained networks on the width law: do they fail as seldom as random hashes of their width?

Every network is trained by the recipe that follows from its sizes, so none is chosen.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.enumeration import MOST_INPUTS, enumerate_inputs
from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, Check, Size, Which, agrees, lies_within
from simulate.jobs.intervals import (
    DRAWN_CONFIDENCE,
    Count,
    Estimate,
    Mean,
    Share,
    from_standard_error,
)
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, key, measured_point, series_of, xs, ys
from simulate.jobs.tasks import Task
from simulate.panels.measured import size_label
from simulate.rare_failures import RareFailure, rare_failures
from theory.false_positives import failure_probability
from theory.large_deviations import failure_slope
from theory.random_code import RandomCode
from theory.width import optimal_hashes_for_failure, smallest_width
from train.measures import (
    INPUTS,
    Behaviour,
    TrainedNetwork,
    failing,
    further_failures,
    seconds,
    trained,
)
from train.measures import behaviour as measured_behaviour
from train.panels.trained import (
    Measure,
    NetworkPoint,
    behaviour,
    estimate,
    mechanism,
    of_network,
    sizes,
    which,
)
from train.training.recipe import Device, Recipe, Start
from train.training.scaled import scaled_recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from train.reading.masks import Masks
    from train.training.fit import State
    from train.training.model import ToyNetwork

NAME = "trained_failure_against_width"
# the width of each network is that at which the best random hashes fail this often
TARGETS = (0.3, 0.03, 1e-3, 3e-5, 1e-6)
QUICK_TASKS, QUICK_TARGETS = ((128, 3),), (0.3, 0.1, 0.03)
# seeds by vocabulary and k, from an identity-like layer; in a full run at least three of each
TASKS = {(512, 3): 4, (1024, 4): 3, (4096, 4): 1, (4096, 8): 1, (16384, 8): 1}
FULL_SEEDS = 3
# of a language model's vocabulary; without a GPU one network, where the law fails once in 1,000
VOCABULARY, VOCABULARY_WIDTHS, VOCABULARY_ACTIVE = 50_257, (256, 384, 512, 768), (8, 16)
VOCABULARY_ON_CPU = (4, 1e-3)
QUICK_VISITS = 1_500
# one series starts from noise throughout, with as many seeds as the other of its task
FROM_NOISE = (512, 3)
# below so many counted failures the rate is estimated by importance sampling; where they are more
# than the masks foresee, which chance makes them for some of so many networks, they are counted
# again on so many times as many inputs
FEW, RECOUNTED = 400, 10
# inputs of that where n k is at most MANY, and fewer in proportion above
RARE_INPUTS, MANY, FEWEST = 100_000, 4096, 1000
# of failures that no mask foresees, where none was met: 95 %, upper end
UNFORESEEN = Count(0, INPUTS).at(DRAWN_CONFIDENCE).interval[1]
# the network's rate over that of the best random hashes of its width, at most, upper end
MOST_OVER_RANDOM = 1.25
# a network fails as often as its weights do when gated by the masks: within this factor, and what
# share of the networks should
CLOSE_TO_GATED, MOST_NETWORKS = 1.1, 0.9
# a series keeps the law where no network of it fails more than so many times as often, upper end
KEEPS = 2.0
# a fitted slope may differ from that of the best random hashes by this share, beside its interval
SLOPE_TOLERANCE = 0.15
_AT_MOST = f"failure rate, upper end, at most {MOST_OVER_RANDOM:g} times that of random hashes"
ALL_NETWORKS = "all_networks"
DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", "--", ":", "-.", (0, (8, 2)))
MARKERS: dict[Start, str] = {"clamp": "o", "gaussian": "D", "exact": "s"}


class Quantity(StrEnum):
    """What is checked."""

    OVER_RANDOM = "failure_over_random"
    SLOPE = "slope"
    RARE = "rare_against_counted"
    GATED = "failure_of_gated_weights"
    MASKS = "masks_against_enumeration"


class Axis(StrEnum):
    """What is drawn, and what is only in the table."""

    FAILURE = "failure"
    MASKS = "masks"
    TOTAL_VARIATION = "total_variation"
    KL = "kl"
    SQUARED_ERROR = "squared_error"
    BITS = "bits_per_token"
    BEST_BITS = "best_bits_per_token"
    ANNEALED = "annealed_at_learned_weights"
    SLOPE = "slope"
    OVER_RANDOM = "failure_over_random"
    OVER_MASKS = "failure_over_masks"
    INSIDE = "masks_inside_interval"
    OVER_GATED = "failure_over_gated"
    VARIATION_OVER_GATED = "total_variation_over_gated"
    CLOSE_TO_GATED = "close_to_gated"
    FORESEEN_OVER_GATED = "foreseen_failure_over_gated"
    SETS_OVER_INPUTS = "token_sets_over_inputs_seen"


@dataclass(frozen=True)
class ScaledPoint(NetworkPoint):
    """A number of one network or of a series of them; start: of their layer."""

    start: Start | None = key(None)


@dataclass(frozen=True)
class Gated:
    """What the weights of a network do where its clamp and complement units are gated by its masks.

    behaviour, rare: as measured of the network itself, on the same inputs.
    """

    behaviour: Behaviour
    rare: RareFailure

    @property
    def foreseen(self) -> float:
        """Its rate of failures that the masks foresee, by importance sampling."""
        return self.rare.failure.value * self.rare.foreseen


@dataclass(frozen=True)
class ScaledNetwork:
    """A network trained by the recipe from its sizes.

    rare: its failure rate by importance sampling; its `covered` is the failure rate of its own
    masks. annealed: exact P_fail of random masks with as many bits for each token. enumerated: the
    failure rate of its own masks, exact, where there are at most 2^25 inputs. gated: the same
    weights, gated by the masks. None where it diverged or has no masks. recounted: failures among
    further inputs, where few had failed, but more than the masks foresee.
    """

    network: TrainedNetwork
    rare: RareFailure | None
    annealed: float | None
    enumerated: float | None = None
    gated: Gated | None = None
    recounted: Count | None = None

    @property
    def recipe(self) -> Recipe:
        """Of the network."""
        return self.network.recipe

    def foreseen(self) -> Share | None:
        """The rate of failures that the masks foresee; None where they cover no further token.

        Where importance sampling met others as well, their weights would be most of its standard
        error; the share of the covered inputs that fail is then taken as known.
        """
        if self.rare is None or self.rare.covered.value == 0.0:
            return None
        whole, covered = self.rare.failure, self.rare.covered
        if self.rare.foreseen == 1.0:
            return whole
        value = whole.value * self.rare.foreseen
        return Share(value, covered.standard_error * value / covered.value, covered.samples)

    @property
    def missed(self) -> bool:
        """Whether more failures were counted, at 95 %, than the masks foresee."""
        foreseen = self.foreseen()
        if foreseen is None:
            return True
        return self.counted.at(DRAWN_CONFIDENCE).interval[0] > foreseen.value

    @property
    def counted(self) -> Count:
        """Its failures; on the further inputs alone where they were counted again."""
        return self.recounted or behaviour(self.network).failure

    @property
    def is_counted(self) -> bool:
        """Whether `failure` is the share of the counted inputs."""
        return self.counted.hits >= FEW or self.missed

    def failure(self, confidence: float = CONFIDENCE) -> Estimate:
        """Its failure rate: counted where that is frequent, or more than the masks foresee.

        By importance sampling else, and then of the failures that the masks foresee: what a count
        of so few does not tell apart from them is rarer than UNFORESEEN.
        """
        foreseen = self.foreseen()
        if foreseen is None or self.is_counted:
            return self.counted.at(confidence)
        return foreseen.at(confidence)


def widths(n: int, k: int, targets: Sequence[float] = TARGETS) -> list[int]:
    """The widths of the networks of one task."""
    return [smallest_width(n, k, target).width for target in targets]


def recipes(effort: Effort) -> list[Recipe]:
    """Every task at every width, each seed; the series from noise after the others."""
    if effort is QUICK:
        return [scaled_recipe(n, k, d) for n, k in QUICK_TASKS for d in widths(n, k, QUICK_TARGETS)]
    starts: list[tuple[tuple[int, int], int, Start]] = [
        (task, max(seeds, FULL_SEEDS if effort is FULL else 1), "clamp")
        for task, seeds in TASKS.items()
    ]
    starts.append((FROM_NOISE, TASKS[FROM_NOISE], "gaussian"))
    return [
        scaled_recipe(n, k, d, seed, start)
        for (n, k), seeds, start in starts
        for d in widths(n, k)
        for seed in range(seeds)
    ]


def small_recipe() -> Recipe:
    """Of a network that is trained in about a second: quick runs try the job by it."""
    return scaled_recipe(64, 2, 16, visits=QUICK_VISITS)


def vocabulary_recipes(effort: Effort, device: Device) -> list[Recipe]:
    """A language model's vocabulary: on a GPU at its widths in bfloat16, else one network.

    In a quick run a small network.
    """
    if effort is QUICK:
        made = [small_recipe()]
    elif device == "cpu":
        k, target = VOCABULARY_ON_CPU
        return [scaled_recipe(VOCABULARY, k, d) for d in widths(VOCABULARY, k, (target,))]
    else:
        made = [
            scaled_recipe(VOCABULARY, k, d) for k in VOCABULARY_ACTIVE for d in VOCABULARY_WIDTHS
        ]
    return [replace(recipe, precision="bfloat16") for recipe in made]


def tasks(effort: Effort) -> list[Task[ScaledNetwork]]:
    """Train each network, and estimate its failure rate and that of its masks."""
    return _tasks(recipes(effort), RARE_INPUTS // 5 if effort is QUICK else RARE_INPUTS, "cpu")


def vocabulary_tasks(effort: Effort) -> list[Task[ScaledNetwork]]:
    """The same of a language model's vocabulary; what is trained depends on whether PyTorch finds
    a GPU."""
    import torch

    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    return _tasks(vocabulary_recipes(effort, device), RARE_INPUTS, device)


def _tasks(recipes: Sequence[Recipe], inputs: int, device: Device) -> list[Task[ScaledNetwork]]:
    made = []
    for recipe in recipes:
        entries = recipe.n * recipe.k
        drawn = max(FEWEST, round(inputs * min(1.0, MANY / entries)))
        made.append(
            Task(
                f"{NAME}/{ids.of(**_at(recipe))}",
                train_scaled,
                {"recipe": recipe, "inputs": drawn, "device": device},
                seconds(recipe) + 2 * drawn * entries * 5e-8,
            )
        )
    return made


def train_scaled(
    rng: np.random.Generator, recipe: Recipe, inputs: int, device: Device
) -> ScaledNetwork:
    """Task: train by the recipe, then measure failures too rare to count, and predict them."""
    from train.analysis.gated import GatedByMasks
    from train.analysis.outcomes import hashes_of
    from train.training.threads import one_thread

    found, state = trained(recipe, device)
    masks = None if state is None else masks_of(state)
    if state is None or masks is None:
        return ScaledNetwork(found, None, None)
    hashes = hashes_of(masks)

    def rare(model: ToyNetwork) -> RareFailure:
        own = copy.deepcopy(rng)  # every call has the same inputs
        return rare_failures(own, failing(model, recipe.task(), own), hashes, recipe.k, inputs)

    few = math.comb(recipe.n, recipe.k) <= MOST_INPUTS
    by_masks = GatedByMasks(state.model, masks)
    with one_thread():
        scaled = ScaledNetwork(
            found,
            rare(state.model),
            RandomCode.of(hashes).failure_probability(recipe.n, recipe.k),
            float(enumerate_inputs(hashes, recipe.k).failure_probability) if few else None,
            Gated(measured_behaviour(replace(state, model=by_masks)), rare(by_masks)),
        )
        return counted_again(scaled, state)


def counted_again(scaled: ScaledNetwork, state: State) -> ScaledNetwork:
    """With failures among further inputs, where few had failed, but more than the masks foresee."""
    first = behaviour(scaled.network).failure
    if first.hits >= FEW or not scaled.missed:
        return scaled
    return replace(scaled, recounted=further_failures(state, RECOUNTED * first.trials))


def masks_of(state: State) -> Masks | None:
    """The masks of the network; None where no unit clamps or complements."""
    from simulate.network import ReluNetwork
    from train.reading.masks import extract

    network = state.model.to_network()
    assert isinstance(network, ReluNetwork)  # recipes here are of the uniform task
    masks = extract(network, state.recipe.k, state.recipe.c)
    return masks if (masks.orientation[masks.live] != 0).any() else None


def _series(recipe: Recipe) -> dict[str, Size]:
    """What networks of one series share: they differ in width and seed."""
    return {"n": recipe.n, "k": recipe.k, "start": recipe.start}


def _grouped(results: Sequence[ScaledNetwork]) -> list[list[ScaledNetwork]]:
    grouped: dict[str, list[ScaledNetwork]] = {}
    for each in results:
        if not each.network.diverged:
            grouped.setdefault(ids.of(**_series(each.recipe)), []).append(each)
    return list(grouped.values())


def random_failure(recipe: Recipe) -> float:
    """Exact P_fail of the best random hashes of the recipe's width."""
    n, k, d = recipe.n, recipe.k, recipe.d
    return failure_probability(n, k, d, optimal_hashes_for_failure(n, k, d))


def _at(recipe: Recipe) -> dict[str, Size]:
    return {**which(recipe), "start": recipe.start}


def checks(results: Sequence[ScaledNetwork]) -> list[Check]:
    """Each network against random hashes of its width, its own masks and its gated weights; each
    series' slope.

    Those against random hashes (at 95 %) and the share of networks close to their gated weights
    are targets, without a false alarm: what fails is a finding.
    """
    made = [_diverged_check(each.recipe) for each in results if each.network.diverged]
    if held := close_to_gated(results):
        made.append(
            lies_within(
                Which(NAME, Quantity.GATED, {}),
                "share of the networks whose failure rate is within a factor of "
                f"{CLOSE_TO_GATED:g} of that of their weights, gated by the masks",
                1.0,
                float(np.mean(held)),
                (MOST_NETWORKS, 1.0),
            )
        )
    for own in _grouped(results):
        first = own[0].recipe
        start = "" if first.start == "clamp" else ", from noise"
        series = size_label("nk", **sizes(first)) + start
        for each in own:
            recipe = each.recipe
            label = f"{series}, d={recipe.d}, seed {recipe.seed}"
            bound = MOST_OVER_RANDOM * random_failure(recipe)
            made.append(
                lies_within(
                    Which(NAME, Quantity.OVER_RANDOM, _at(recipe)),
                    f"{_AT_MOST}, {label}",
                    bound,
                    each.failure(DRAWN_CONFIDENCE).interval[1],
                    (0.0, bound),
                )
            )
            counted = behaviour(each.network).failure
            if each.rare is not None and counted.hits >= FEW:
                made.append(
                    agrees(
                        Which(NAME, Quantity.RARE, _at(recipe)),
                        f"failure rate by importance sampling and by counting, {label}",
                        each.rare.failure.value,
                        _difference(each.rare.failure, counted.at(CONFIDENCE)),
                    )
                )
            if each.rare is not None and each.enumerated is not None:
                made.append(
                    agrees(
                        Which(NAME, Quantity.MASKS, _at(recipe)),
                        f"failure rate of the masks by importance sampling and exactly, {label}",
                        each.enumerated,
                        each.rare.covered.at(CONFIDENCE),
                    )
                )
        found, expected = slope(own), slope_of_random(own)
        if found is not None and expected is not None:
            # networks that scatter much do not pass for that
            tolerance = SLOPE_TOLERANCE * abs(expected)
            reach = min(found.interval[1] - found.value, tolerance) + tolerance
            made.append(
                lies_within(
                    Which(NAME, Quantity.SLOPE, _series(first)),
                    f"slope d ln failure / dd over that of the best random hashes, {series}",
                    expected,
                    found.value,
                    (expected - reach, expected + reach),
                )
            )
    return made


def _diverged_check(recipe: Recipe) -> Check:
    """A network that diverged counts as one that fails on every input."""
    bound = MOST_OVER_RANDOM * random_failure(recipe)
    label = f"{_AT_MOST}, {size_label('nkd', **sizes(recipe))}, which diverged"
    which_one = Which(NAME, Quantity.OVER_RANDOM, _at(recipe))
    return lies_within(which_one, label, bound, 1.0, (0.0, bound))


def _diverged_point(recipe: Recipe) -> ScaledPoint:
    n, k, d = recipe.n, recipe.k, recipe.d
    over, series = 1.0 / random_failure(recipe), ids.of(**_series(recipe))
    point = Point(Axis.OVER_RANDOM, series, Kind.TRAINED, d, over, n=n, k=k, d=d)
    return ScaledPoint(**vars(of_network(point, recipe)), start=recipe.start)


def _difference(one: Mean, other: Estimate) -> Estimate:
    """The other estimate with an interval that has both errors, as for their difference."""
    reach = one.at(CONFIDENCE).interval[1] - one.value
    low, high = other.interval
    return Estimate(
        other.value, (low - reach, high + reach), other.confidence, other.samples, other.kind
    )


def over_masks(each: ScaledNetwork) -> float | None:
    """The network's failure rate, as `failure` has it, over that of its masks."""
    if each.rare is None or each.rare.covered.value == 0.0:
        return None
    return each.failure().value / each.rare.covered.value


def masks_inside(each: ScaledNetwork) -> bool:
    """Whether the 95 % interval of the failure rate holds that of the masks."""
    assert each.rare is not None
    return each.failure(DRAWN_CONFIDENCE).contains(each.rare.covered.value)


def is_counted(each: ScaledNetwork) -> bool:
    """Whether failures of the network or of its gated weights are frequent enough to count, or
    more than the masks foresee, so that those which no mask foresees are compared as well."""
    assert each.gated is not None
    counted = each.gated.behaviour.failure
    more = counted.at(DRAWN_CONFIDENCE).interval[0] > each.gated.foreseen
    return each.is_counted or counted.hits >= FEW or more


def failure_over_gated(each: ScaledNetwork) -> float | None:
    """The network's failure rate over that of its gated weights on the same inputs; inf where only
    the network fails, None where neither does."""
    if each.gated is None:
        return None
    if is_counted(each):
        own, other = (
            of.failure.at(DRAWN_CONFIDENCE).value
            for of in (behaviour(each.network), each.gated.behaviour)
        )
    else:
        foreseen = each.foreseen()
        own, other = 0.0 if foreseen is None else foreseen.value, each.gated.foreseen
    return _ratio(own, other)


def variation_over_gated(each: ScaledNetwork) -> float | None:
    """The same of total variation."""
    if each.gated is None:
        return None
    return _ratio(
        behaviour(each.network).total_variation.value, each.gated.behaviour.total_variation.value
    )


def _ratio(own: float, other: float) -> float | None:
    if other == 0.0:
        return None if own == 0.0 else math.inf
    return own / other


def close_to_gated(results: Sequence[ScaledNetwork]) -> list[bool]:
    """Of each network that fails, or whose gated weights do: whether the two rates are close."""
    ratios = [failure_over_gated(each) for each in results]
    return [1 / CLOSE_TO_GATED <= ratio <= CLOSE_TO_GATED for ratio in ratios if ratio is not None]


def slope(own: Sequence[ScaledNetwork]) -> Estimate | None:
    """d ln failure / dd by least squares over the networks, 95 %; None of fewer than 3 widths.

    Networks are independent, and what varies between them is theirs: the interval is that of the
    regression, not of the sampling of inputs. Where nothing failed a network is left out.
    """
    seen = [(each.recipe.d, each.failure().value) for each in own]
    return _log_slope([(d, rate) for d, rate in seen if rate > 0.0])


def slope_of_random(own: Sequence[ScaledNetwork]) -> float | None:
    """The same of the exact P_fail of the best random hashes, at the same widths."""
    seen = [
        (each.recipe.d, random_failure(each.recipe)) for each in own if each.failure().value > 0.0
    ]
    found = _log_slope(seen)
    return None if found is None else found.value


def _log_slope(seen: Sequence[tuple[int, float]]) -> Estimate | None:
    from scipy.stats import linregress

    if len({d for d, _ in seen}) < 3:
        return None
    x, y = np.array(seen).T
    fit = linregress(x, np.log(y))
    return from_standard_error(float(fit.slope), float(fit.stderr), len(seen) - 2, DRAWN_CONFIDENCE)


def table(results: Sequence[ScaledNetwork]) -> list[ScaledPoint]:
    """The exact curves and every network's measures; slopes have x = 0."""
    made: list[ScaledPoint] = []
    for n, k in dict.fromkeys((each.recipe.n, each.recipe.k) for each in results):
        of = [each.recipe.d for each in results if (each.recipe.n, each.recipe.k) == (n, k)]
        of += widths(n, k, (TARGETS[0], TARGETS[-1]))
        for d in np.unique(np.linspace(min(of), max(of), 40).astype(int)).tolist():
            m = optimal_hashes_for_failure(n, k, d)
            value = failure_probability(n, k, d, m)
            series = ids.of(n=n, k=k)
            made.append(ScaledPoint(Axis.FAILURE, series, Kind.EXACT, d, value, n=n, k=k, d=d, m=m))
    held = [masks_inside(each) for each in results if each.rare is not None]
    if held:
        share = float(np.mean(held))
        made.append(ScaledPoint(Axis.INSIDE, ALL_NETWORKS, Kind.MEAN, len(held), share))
    if held := close_to_gated(results):
        share = float(np.mean(held))
        made.append(ScaledPoint(Axis.CLOSE_TO_GATED, ALL_NETWORKS, Kind.MEAN, len(held), share))
    made += [_diverged_point(each.recipe) for each in results if each.network.diverged]
    for own in _grouped(results):
        made += [point for each in own for point in _points(each)]
        made += _slopes(own)
    return made


def _slopes(own: Sequence[ScaledNetwork]) -> list[ScaledPoint]:
    found, recipe = slope(own), own[0].recipe
    if found is None:
        return []
    n, k, series = recipe.n, recipe.k, ids.of(**_series(recipe))
    made = [
        measured_point(Axis.SLOPE, series, Kind.FITTED, 0, found, n=n, k=k),
        Point(Axis.SLOPE, series, Kind.ASYMPTOTIC, 0, failure_slope(k), n=n, k=k),
    ]
    random = slope_of_random(own)
    if random is not None:
        made.append(Point(Axis.SLOPE, series, Kind.EXACT, 0, random, n=n, k=k))
    return [ScaledPoint(**vars(point), start=recipe.start) for point in made]


def _points(each: ScaledNetwork) -> list[ScaledPoint]:
    recipe = each.recipe
    d, own, series = recipe.d, sizes(recipe), ids.of(**_series(recipe))

    def exactly(axis: Axis, kind: Kind, value: float) -> Point:
        return Point(axis, series, kind, d, value, **own)

    failure = each.failure(DRAWN_CONFIDENCE)
    best = random_failure(recipe)
    low, high = failure.interval
    over = replace(failure, value=failure.value / best, interval=(low / best, high / best))
    made = [
        measured_point(Axis.FAILURE, series, Kind.TRAINED, d, failure, **own),
        measured_point(Axis.OVER_RANDOM, series, Kind.TRAINED, d, over, **own),
    ]
    for axis, measure in (
        (Axis.TOTAL_VARIATION, Measure.TOTAL_VARIATION),
        (Axis.KL, Measure.KL),
        (Axis.SQUARED_ERROR, Measure.SQUARED_ERROR),
    ):
        found = estimate(each.network, measure, DRAWN_CONFIDENCE)
        made.append(measured_point(axis, series, Kind.TRAINED, d, found, **own))
    if each.rare is not None:
        covered = each.rare.covered.at(DRAWN_CONFIDENCE)
        made.append(measured_point(Axis.MASKS, series, Kind.WEIGHTED, d, covered, **own))
        if (ratio := over_masks(each)) is not None:
            made.append(exactly(Axis.OVER_MASKS, Kind.TRAINED, ratio))
    of_all = each.gated is not None and is_counted(each)
    for axis, ratio in (
        (Axis.OVER_GATED if of_all else Axis.FORESEEN_OVER_GATED, failure_over_gated(each)),
        (Axis.VARIATION_OVER_GATED, variation_over_gated(each)),
    ):
        if ratio is not None and math.isfinite(ratio):
            made.append(exactly(axis, Kind.TRAINED, ratio))
    if each.annealed is not None:
        made.append(exactly(Axis.ANNEALED, Kind.EXACT, each.annealed))
    bits = mechanism(each.network).bits_per_token.mean
    if bits is not None:
        made.append(exactly(Axis.BITS, Kind.TRAINED, bits))
    m = optimal_hashes_for_failure(recipe.n, recipe.k, d)
    made.append(exactly(Axis.BEST_BITS, Kind.EXACT, m))
    sets = token_sets_over_inputs(recipe)
    made.append(exactly(Axis.SETS_OVER_INPUTS, Kind.EXACT, sets))
    networks = [of_network(point, recipe) for point in made]
    return [ScaledPoint(**vars(point), start=recipe.start) for point in networks]


def token_sets_over_inputs(recipe: Recipe) -> float:
    """C(n, k) over the inputs that training saw: well below 1, token sets can be memorised."""
    seen = recipe.batch_at(0) * recipe.final_step
    seen += recipe.batch_at(recipe.steps - 1) * (recipe.steps - recipe.final_step)
    return math.comb(recipe.n, recipe.k) / seen


def _mean_by_width(points: Sequence[ScaledPoint]) -> dict[float, float]:
    """Geometric means over the networks of each width."""
    own: dict[float, list[float]] = {}
    for point in sorted(points, key=lambda each: each.x):
        own.setdefault(point.x, []).append(math.log(point.y))
    return {d: math.exp(float(np.mean(logs))) for d, logs in own.items()}


def draw(points: Sequence[ScaledPoint]) -> Figure:
    """Left: failure rates on the exact curves. Right: total variation, means joined."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 3.3, (1.5, 1.0))
    curves = series_of(points, axis=Axis.FAILURE, start=None).values()
    looks = {}
    for at, exact in enumerate(curves):
        colour, dash = style.COLOURS[at % len(style.COLOURS)], DASHES[at % len(DASHES)]
        looks[exact[0].n, exact[0].k] = colour, dash
        label = style.sizes(exact[0], "nk")
        left.plot(xs(exact), ys(exact), color=colour, linestyle=dash, label=label)
    for start, marker in MARKERS.items():
        for axes, axis in ((left, Axis.FAILURE), (right, Axis.TOTAL_VARIATION)):
            own = series_of(points, axis=axis, kind=Kind.TRAINED, start=start).values()
            for networks in own:
                colour, dash = looks[networks[0].n, networks[0].k]
                style.error_bars(axes, [p for p in networks if p.y > 0.0], colour, marker)
                if axes is right:
                    means = _mean_by_width(networks)
                    right.plot(
                        [*means], [*means.values()], linestyle=dash, color=colour, linewidth=0.7
                    )
    for axes in (left, right):
        axes.set_yscale("log")
        axes.set_xlabel("residual width $d$")
    right.set_xlim(left.get_xlim())
    low, high = right.get_ylim()
    if high < 10.0 * low:  # of few networks; a decade at least
        right.set_ylim(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high)))
    left.set_ylabel("failure rate")
    right.set_ylabel("total variation")
    marks = {"best random hashes, exact": ("-", None), "trained network": ("none", "o")}
    if any(p.start == "gaussian" for p in points):
        marks |= {"its layer started from noise": ("none", MARKERS["gaussian"])}
    left.legend(loc="upper right")
    fig.legend(handles=style.grey_marks(marks), loc="outside upper center", ncols=len(marks))
    return fig


SHOWN = (
    "Left: failure rate of every network the recipe from sizes trains, and the exact P_fail of the "
    "best random hashes of its width. Rates too rare to count are of failures that the masks "
    "foresee, by importance sampling. Right: total variation, geometric means over the seeds "
    "joined. Bars are 95 % intervals."
)
PANEL = Panel(
    NAME,
    f"Trained networks come close to the width law. {SHOWN}",
    tasks,
    checks,
    table,
    draw,
)
VOCABULARY_PANEL = replace(
    PANEL,
    caption=f"A language model's vocabulary on the width law. {SHOWN}",
    tasks=vocabulary_tasks,
)
