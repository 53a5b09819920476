"""Predictions from the masks, from their density and from the logit levels, against measurement.

test: an exact number, or one sampled so often that its error is small, which the measured interval
misses with probability 5 % if the claim behind it is true. For failure_rate the claim is that the
network fails exactly where its masks cover a non-member; for mechanistic_failure_rate and
false_positives nothing but the code of this suite is tested.
model: a prediction that is known not to be exact. The random code of the network's weights has a
failure rate of its own; the logit levels of a trained network scatter. How far it is off is the
finding, and whether the interval holds it says little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from simulate.enumeration import MOST_INPUTS, enumerate_inputs
from simulate.estimators import counts_in_family
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork
from simulate.sampling import random_sets
from theory import quenched
from theory.random_code import RandomCode
from theory.softmax_output import expected_divergence
from train.analysis import measured
from train.analysis.behaviour import INPUTS, Sample, draw_sample
from train.analysis.measured import Measured
from train.analysis.outcomes import Hashes, Levels, Tokens, fails, hashes_of
from train.reading.masks import Masks, extract

Kind = Literal["test", "model"]

# of the masks alone, where their inputs are too many to enumerate
SAMPLED_INPUTS = 2**23
# the exact rate takes two seconds at n = 512, four times as long with two bits more
MOST_BITS = 18
RANDOM_CODES = 64
INPUTS_OF_A_CODE = 20_000
# levels that leak a millionth of the leakiest count for no less than that in the fit
_LEAST_WEIGHT = 1e-6
_MOST_SPREAD = 16


@dataclass(frozen=True)
class LevelFit:
    """The output in a few numbers: what a non-member with s missing bits leaks, e^logit on average.

    leakage: float64 [levels], the mean of e^(logit less the members' mean logit), 0 where none was
    seen. spread: [levels], standard deviation of that logit, nats. beta, offset: ln leakage is
    about offset - beta s, by least squares over the levels, each weighted by what it leaks in all;
    NaN where only one level was seen. An exact filter has spread 0 and offset 0.
    member_variance: [inputs], mean square of each input's member logits about their mean.
    """

    leakage: Float[np.ndarray, " levels"]
    spread: Float[np.ndarray, " levels"]
    beta: float
    offset: float
    member_variance: Float[np.ndarray, " inputs"]

    def line(self) -> LevelFit:
        """The same with no more of the levels than beta and offset."""
        levels = np.arange(len(self.leakage))
        leakage = np.exp(self.offset - self.beta * levels)
        return replace(self, leakage=leakage, spread=np.zeros(len(levels)))


def fit_levels(levels: Levels, member_variance: Float[np.ndarray, " inputs"]) -> LevelFit:
    """The fit to what `outcomes.observe` found."""
    known = np.isfinite(levels.leakage) & np.isfinite(levels.logit.sd)
    leakage, spread = np.where(known, (levels.leakage, levels.logit.sd), 0.0)
    seen = np.flatnonzero(leakage)
    beta = offset = math.nan
    if len(seen) > 1:
        log_leakage = np.log(leakage[seen])
        log_leaked = log_leakage + np.log(levels.count[seen])
        weight = np.sqrt(np.maximum(np.exp(log_leaked - log_leaked.max()), _LEAST_WEIGHT))
        slope, constant = np.polyfit(seen, log_leakage, 1, w=weight)
        beta, offset = float(-slope), float(constant)
    return LevelFit(leakage, spread, beta, offset, member_variance)


@dataclass(frozen=True)
class Modelled:
    """Outputs of the model, float64 [inputs], as in `outcomes.Outcomes`."""

    total_variation: Float[np.ndarray, " inputs"]
    kl: Float[np.ndarray, " inputs"]
    mass: Float[np.ndarray, " inputs"]


def modelled_outputs(
    rng: np.random.Generator, hashes: Hashes, tokens: Tokens, fit: LevelFit
) -> Modelled:
    """Outputs that depend on the input through each non-member's number of missing bits alone.

    A non-member with s missing bits weighs leakage[s] times a lognormal of mean 1 and the level's
    spread, independent of all others; where a level has over 16 non-members an input, their mean
    will do. The members weigh e^z, z in a random direction about 0 with the mean square of a
    random one of the fitted inputs. Without spread and variance these are `theory.softmax_output`'s
    functions of L.
    """
    inputs, k = tokens.shape
    counts = PackedHashes.of(hashes).missing_bits_histogram(tokens)
    counts[:, 0] -= k
    leaked = np.zeros(inputs)
    for level, (leakage, sd) in enumerate(zip(fit.leakage, fit.spread, strict=True)):
        count = counts[:, level]
        if sd == 0.0 or count.sum() > _MOST_SPREAD * inputs:
            leaked += count * leakage
            continue
        scatter = np.exp(sd * rng.normal(size=count.sum()) - 0.5 * sd * sd)
        leaked += leakage * np.bincount(np.repeat(np.arange(inputs), count), scatter, inputs)
    z = rng.normal(size=(inputs, k))
    z -= z.mean(axis=1, keepdims=True)
    length = np.sqrt((z**2).mean(axis=1)) if k > 1 else np.ones(inputs)
    z *= (np.sqrt(rng.choice(fit.member_variance, inputs)) / length)[:, None]
    on_members = np.exp(z)
    total = on_members.sum(axis=1) + leaked
    off_target = np.abs(on_members / total[:, None] - 1.0 / k).sum(axis=1)
    return Modelled(
        total_variation=0.5 * (off_target + leaked / total),
        kl=np.log(total / k),
        mass=1.0 - leaked / total,
    )


def rates_of_masks(rng: np.random.Generator, hashes: Hashes, k: int) -> dict[str, Any]:
    """P_fail and E#FP of the masks themselves (quenched), exact where affordable.

    Each {"value", "interval", "inputs"}; interval None where exact. P_fail by looking at all
    C(n, k) inputs up to 2^25, E#FP by theory.quenched up to 18 bits a token; else over 2^23 random
    inputs.
    """
    n = len(hashes)
    failures = positives = None
    if math.comb(n, k) <= MOST_INPUTS:
        found = enumerate_inputs(hashes, k)
        failures = _exact(float(found.failure_probability), found.inputs)
        positives = _exact(float(found.expected_false_positives), found.inputs)
    elif hashes.sum(axis=1).max() <= MOST_BITS:
        expected = float(quenched.expected_false_positives(hashes, k))
        positives = _exact(expected, None)
    if failures is None or positives is None:
        counts = counts_in_family(rng, PackedHashes.of(hashes), k, SAMPLED_INPUTS)
        failures = failures or measured.share(counts > 0)
        positives = positives or measured.mean(counts)
    return {"failure_probability": failures, "expected_false_positives": positives}


def _exact(value: float, inputs: int | None) -> Measured:
    return {"value": value, "interval": None, "inputs": inputs}


@dataclass(frozen=True)
class Comparison:
    """One prediction beside its measurement.

    quantity: failure_rate, mechanistic_failure_rate, false_positives, total_variation or kl.
    source: masks (quenched), random_code (annealed), levels or line (of `LevelFit`), or theory
    (constant weight, the line's beta). predicted_interval: None where the prediction has no
    sampling error. inside: the prediction, or part of its interval, lies in the measured interval.
    """

    quantity: str
    source: str
    kind: Kind
    measured: Measured
    predicted: float
    predicted_interval: list[float] | None = None

    @property
    def inside(self) -> bool:
        """Whether measurement and prediction are compatible at the interval's level."""
        low, high = self.predicted_interval or (self.predicted, self.predicted)
        return self.measured["interval"][0] <= high and low <= self.measured["interval"][1]

    def record(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {**vars(self), "inside": self.inside}


@dataclass(frozen=True)
class Prediction:
    """What `analyse` found: record, plain data for JSON, and its comparisons."""

    record: dict[str, Any]
    comparisons: list[Comparison]
    fit: LevelFit
    sample: Sample


def analyse(
    network: ReluNetwork,
    masks: Masks,
    k: int,
    c: float,
    rng: np.random.Generator,
    inputs: int = INPUTS,
    sample: Sample | None = None,
) -> Prediction:
    """Every prediction beside its measurement, over `inputs` fresh inputs or a sample at hand.

    The levels are fitted on a quarter as many inputs of their own, and judged on the sample. The
    record's keys: comparisons, masks, random_code, random_codes, level_fit. Raises DomainError
    outside 1 <= k < n, c >= 1.
    """
    hashes = hashes_of(masks)
    n, code = network.n, RandomCode.of(hashes)
    sample = sample or draw_sample(network, hashes, k, c, rng, inputs)
    seen = sample.outcomes
    training = draw_sample(network, hashes, k, c, rng, max(2, len(seen.mass) // 4))
    fit = fit_levels(training.levels, training.outcomes.member_variance)
    own = rates_of_masks(rng, hashes, k)
    annealed = {
        "failure_probability": code.failure_probability(n, k),
        "expected_false_positives": code.expected_false_positives(n, k),
    }
    found = {
        "failure_rate": measured.share(fails(seen.mass, k)),
        "mechanistic_failure_rate": measured.share(seen.false_positives > 0),
        "false_positives": measured.mean(seen.false_positives),
        "total_variation": measured.mean(seen.total_variation),
        "kl": measured.mean(seen.kl),
    }
    of_masks = (
        ("failure_rate", own["failure_probability"], annealed["failure_probability"]),
        ("mechanistic_failure_rate", own["failure_probability"], None),
        ("false_positives", own["expected_false_positives"], annealed["expected_false_positives"]),
    )
    rows = []
    for quantity, exact, random_code in of_masks:
        rows.append(
            Comparison(
                quantity, "masks", "test", found[quantity], exact["value"], exact["interval"]
            )
        )
        if random_code is not None:
            rows.append(Comparison(quantity, "random_code", "model", found[quantity], random_code))
    for source, values in _modelled(rng, hashes, sample.tokens, fit).items():
        rows += [
            Comparison(quantity, source, "model", found[quantity], value)
            for quantity, value in values.items()
        ]
    rates = failure_rates_of_random_codes(rng, code, k, RANDOM_CODES, INPUTS_OF_A_CODE)
    record = {
        "comparisons": [row.record() for row in rows],
        "masks": own,
        "random_code": annealed,
        "random_codes": _beside_random_codes(rates, own["failure_probability"]["value"]),
        "level_fit": {
            "beta": _finite(fit.beta),
            "offset": _finite(fit.offset),
            "leakage": fit.leakage.tolist(),
            "spread": fit.spread.tolist(),
            "member_sd": float(np.sqrt(fit.member_variance.mean())),
            "inputs": len(training.tokens),
        },
    }
    return Prediction(record, rows, fit, sample)


def _modelled(
    rng: np.random.Generator, hashes: Hashes, tokens: Tokens, fit: LevelFit
) -> dict[str, dict[str, float]]:
    """By source, means over these inputs by the levels and the line; by theory, without them."""
    found = {}
    for source, known in {"levels": fit, "line": fit.line()}.items():
        if source == "line" and not fit.beta > 0.0:
            continue
        outputs = modelled_outputs(rng, hashes, tokens, known)
        found[source] = {
            "failure_rate": float(fails(outputs.mass, tokens.shape[1]).mean()),
            "total_variation": float(outputs.total_variation.mean()),
            "kl": float(outputs.kl.mean()),
        }
    (n, bits), m = hashes.shape, round(float(hashes.sum(axis=1).mean()))
    if m >= 1 and fit.beta > 0.0:
        exact = expected_divergence(n, tokens.shape[1], bits, m, fit.beta)
        found["theory"] = {"total_variation": exact.total_variation, "kl": exact.kl}
    return found


def _beside_random_codes(rates: Float[np.ndarray, " codes"], own: float) -> dict[str, Any]:
    """Where the network's code stands among random ones of its weights.

    sd: between codes, the sampling error of each taken off. better: random codes that fail on no
    larger share of their inputs than the network's code on its.
    """
    mean = float(rates.mean())
    noise = mean * (1.0 - mean) / INPUTS_OF_A_CODE
    sd = math.sqrt(max(0.0, float(rates.var(ddof=1)) - noise))
    return {
        "codes": len(rates),
        "mean": mean,
        "sd": sd,
        "own": own,
        "standard_scores": (own - mean) / sd if sd > 0.0 else None,
        "better": int(np.count_nonzero(rates <= own)),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class NamedNetwork:
    """One of the networks of a comparison; group: how it is coloured, e.g. its mechanism."""

    name: str
    network: ReluNetwork
    k: int
    c: float
    group: str = ""


@dataclass(frozen=True)
class NetworkComparisons:
    """Predictions against measurements over many networks.

    rows: plain data, one for each network and comparison. inside: for each quantity and source the
    networks compared, and the share of them whose measured interval holds the prediction.
    """

    rows: list[dict[str, Any]]
    inside: list[dict[str, Any]]


def compare_networks(
    networks: Sequence[NamedNetwork], rng: np.random.Generator, inputs: int = INPUTS
) -> NetworkComparisons:
    """Every network's own masks, predictions and measurements, from a random stream of its own."""
    rows = []
    for each, stream in zip(networks, rng.spawn(len(networks)), strict=True):
        masks = extract(each.network, each.k, each.c)
        found = analyse(each.network, masks, each.k, each.c, stream, inputs)
        sizes = {"n": each.network.n, "k": each.k, "d": each.network.d, "h": each.network.h}
        name = {"name": each.name, "group": each.group, **sizes}
        rows += [name | comparison for comparison in found.record["comparisons"]]
    return NetworkComparisons(rows, share_inside(rows))


def share_inside(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each quantity, source and kind: how many networks, and the share that lie inside."""
    grouped: dict[tuple[str, str, str], list[bool]] = {}
    for row in rows:
        key = (row["quantity"], row["source"], row["kind"])
        grouped.setdefault(key, []).append(row["inside"])
    return [
        {
            "quantity": quantity,
            "source": source,
            "kind": kind,
            "networks": len(held),
            "inside": sum(held) / len(held),
        }
        for (quantity, source, kind), held in grouped.items()
    ]


def failure_rates_of_random_codes(
    rng: np.random.Generator, code: RandomCode, k: int, codes: int, inputs: int
) -> Float[np.ndarray, " codes"]:
    """The sampled failure rate of each of `codes` random codes, over `inputs` inputs of its own."""
    n = len(code.weights)
    rates = np.empty(codes)
    for place in range(codes):
        packed = PackedHashes.of(code.sample(rng))
        rates[place] = np.mean(packed.count_false_positives(random_sets(rng, inputs, n, k)) > 0)
    return rates
