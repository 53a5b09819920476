"""Claims about width: the law, what rivals pay, the harder task, and language models' sizes."""

from __future__ import annotations

import math
from collections.abc import Callable

from reports.claims import trained_series
from reports.claims.sources import (
    CAPACITIES,
    DISTANCES,
    HARDER_TASK,
    LAYERS,
    PSEUDO_INVERSE,
    RIVALS,
    SMOLLM2_READOUT,
    TRAINED_WIDTHS,
    VOCABULARY_WIDTHS,
    complement,
    source,
)
from reports.jobs import RECIPE, SCALING, SURVEY, VOCABULARY, WIDTH
from reports.ledger import Claim, Finding
from reports.numbers import Checks, Evidence, Number, Range, between
from reports.traced import given, only
from simulate.jobs.checks import Which
from simulate.jobs.table import Kind, Point
from simulate.panels import (
    dense_softmax,
    dense_threshold,
    distance_from_best,
    failure_against_width,
    harder_task,
    language_models,
    linear_readout,
    pseudo_inverse,
    width_against_error,
    width_of_rivals,
)
from simulate.panels.language_models import SHAPES, Model, ModelPoint, Rival
from simulate.panels.width_of_rivals import Code
from theory import ranked_code
from train.panels import harder_hidden_layer, recipe_off_by_two, trained_failure_against_width
from train.panels.harder_hidden_layer import Kinds, SeedPoint
from train.panels.harder_hidden_layer import Number as OfLayer
from train.panels.trained_failure_against_width import (
    KEEPS,
    MOST_OVER_RANDOM,
    UNFORESEEN,
    ScaledPoint,
)
from train.panels.trained_failure_against_width import Axis as WidthAxis
from train.panels.trained_failure_against_width import Quantity as WidthQuantity
from train.readout.outputs import Whose
from train.readout.report import Report

# a rival's width is quoted near this error, far above 1/C(n, k), the least that one code can have
QUOTED = 1e-6


def _rival(evidence: Evidence, code: Code) -> Number:
    """Its width at n = 1024, k = 4, and the drawn error nearest to the quoted one."""
    errors = [each.epsilon for each in width_of_rivals.AXES[width_of_rivals.Axis.EPSILON]]
    epsilon = min(errors, key=lambda each: abs(math.log(each / QUOTED)))

    def fits(row: Point) -> bool:
        at = row.axis == width_of_rivals.Axis.EPSILON and math.isclose(row.x, 1 / epsilon)
        return at and row.series == code and row.kind in (Kind.EXACT, Kind.UPPER_BOUND)

    base = width_of_rivals.BASE
    label = f"width at n = {base.n}, k = {base.k}, ε = {epsilon:.1e}, {code.label}"
    return evidence.point(label, RIVALS, fits, ",.0f")


def _width_at(evidence: Evidence, code: distance_from_best.Code, k: int) -> Number:
    """Width with the failure probability of the panel of distances, at its n."""

    def fits(row: Point) -> bool:
        return (row.axis, row.series, row.k) == (distance_from_best.Axis.WIDTH, code, k)

    n, epsilon = distance_from_best.N, distance_from_best.EPSILON
    label = f"width at n = {n}, k = {k}, ε = {epsilon}, {code.label}"
    return evidence.point(label, DISTANCES, fits, ",.0f")


def _ranked_failing(evidence: Evidence, n: int, k: int, d: int) -> Number:
    """Lower end of what was counted, and as its `high` the proved bound."""
    quantity = distance_from_best.Quantity.RANKED_FAILURE
    which = Which(distance_from_best.NAME, quantity, {"n": n, "k": k, "d": d})
    label = f"least share of inputs on which ranked random signs fail, n = {n}, k = {k}, d = {d}"
    return evidence.check(label, SCALING, which, ".3f")


def _ranked(evidence: Evidence) -> tuple[list[bool], str]:
    """Claim 12, of dense codes that only have to find the set: conditions, and what is said."""
    most, epsilon = distance_from_best.N, distance_from_best.EPSILON
    n, k = distance_from_best.RANKED[-1]
    ranked, bloom = (
        _width_at(evidence, code, k)
        for code in (distance_from_best.Code.RANKED, distance_from_best.Code.BLOOM)
    )
    below = evidence.passed(
        "failure rates of random signs, ranked without a layer, that stay below their bound",
        Checks(SCALING, distance_from_best.NAME, distance_from_best.Quantity.RANKED_FAILURE),
    )
    few, many = (
        ranked_code.smallest_width(n, k, target) for target in distance_from_best.RANKED_TARGETS
    )
    narrow, wide = (_ranked_failing(evidence, n, k, d) for d in (few, many))
    # counted at the narrower width, and proved of the wider: steeper than the square of the width
    falls = narrow > (many / few) ** 2 * wide.high
    return [bool(below), falls], (
        f"Ranking the logits of random signs takes no layer, and at most {ranked:,.0f} coordinates "
        f"at n = {most:,}, k = {k} and ε = {epsilon}, where a Bloom filter needs {bloom:,.0f}. At "
        f"n = {n:,}, k = {k} it fails on {narrow:.1%} of inputs or more with {few} coordinates, as "
        f"was counted, and on {wide.high:.1%} at most with {many}, as is proved."
    )


def width_law(evidence: Evidence) -> Finding:
    """Claim 12, of codes drawn at random."""
    slopes = evidence.passed(
        "slopes of ln P_fail against width that agree with the law",
        Checks(SCALING, failure_against_width.NAME, failure_against_width.Quantity.SLOPE),
    )
    widths = evidence.passed(
        "smallest widths that lie where the measured P_fail crosses ε",
        Checks(SCALING, width_against_error.NAME, width_against_error.Quantity.WIDTH),
    )
    n, k = failure_against_width.PLANTED
    bloom = evidence.check(
        f"slope of ln P_fail, nats per unit of width, n = {n}, k = {k}",
        SCALING,
        Which(failure_against_width.NAME, failure_against_width.Quantity.SLOPE, {"n": n, "k": k}),
    )
    epsilon = min(width_against_error.TARGETS)
    width = evidence.check(
        f"smallest width at the best m, n = {n}, k = {k}, ε = {epsilon:g}",
        SCALING,
        Which(
            width_against_error.NAME,
            width_against_error.Quantity.WIDTH,
            {"n": n, "k": k, "epsilon": epsilon},
        ),
    )
    kl, tv = (
        evidence.check(
            f"power of d with which {name} of a dense code's members falls",
            SCALING,
            Which(dense_softmax.NAME, quantity),
            ".3f",
        )
        for name, quantity in (
            ("the KL", dense_softmax.Quantity.KL_SLOPE),
            ("the total variation", dense_softmax.Quantity.TV_SLOPE),
        )
    )
    linear = evidence.check(
        "power of d with which the squared error of a linear readout falls",
        SCALING,
        Which(linear_readout.NAME, linear_readout.Quantity.SLOPE),
    )
    threshold = evidence.passed(
        "failure rates of dense codes with a threshold a token that lie between their bounds",
        Checks(SCALING, dense_threshold.NAME, dense_threshold.Quantity.FAILURE),
    )
    bloom_width, sign_width = (
        _rival(evidence, code) for code in (Code.FIXED_WEIGHT, Code.THRESHOLDED)
    )
    found_without_layer, ranked = _ranked(evidence)
    base = width_of_rivals.BASE
    return Finding(
        [
            bool(slopes),
            bool(widths),
            bloom.high < 0.0,
            # a law exponential in d would be steeper than any power over this range of widths
            kl.low > -1.25 and kl.high < -0.75,
            tv.low > -0.75 and tv.high < -0.25,
            *found_without_layer,
        ],
        f"The measured slopes agree with the law ({slopes.passed} of {slopes.total}): ln P_fail "
        f"changes by {bloom:.5f} nats per unit of width at n = {n:,}, k = {k}, so that "
        f"{width:.0f} coordinates hold it below {epsilon:.0e}. The softmax of a dense code comes "
        "near the uniform target over the members only as a power of the width: KL falls as d to "
        f"the power {kl:.3f}, total variation as d to the power {tv:.3f}, and the squared error of "
        f"a linear readout as d to the power {linear:.4f}.",
        "What costs a power of 1/ε is how uniform the output is over the members. To find the set "
        f"costs log(1/ε) for dense codes as well. {ranked} With a threshold for each token at most "
        f"{sign_width:,.0f} coordinates are needed at n = {base.n:,}, k = {base.k} and ε near "
        f"{QUOTED:.0e}, and a Bloom filter needs {bloom_width:.0f}.",
        limited=bool(threshold),
    )


def learned_width_law(evidence: Evidence) -> Finding:
    """Claim 12, of trained networks."""
    panel = trained_failure_against_width.NAME
    slopes = evidence.passed(
        "slopes of trained networks' ln(failure rate) that agree with random hashes'",
        Checks(WIDTH, panel, WidthQuantity.SLOPE),
    )
    over_random = evidence.passed(
        f"trained networks that fail at most {MOST_OVER_RANDOM:g} times as often as the best "
        "random hashes",
        Checks(WIDTH, panel, WidthQuantity.OVER_RANDOM),
    )
    series = trained_series.all_of(evidence, WidthAxis.OVER_RANDOM)
    kept = {key for key, rows in series.items() if max(row.high or row.y for row in rows) <= KEEPS}
    ratio = evidence.points(
        f"failure rate over that of the best random hashes, series that stay within {KEEPS:g}",
        TRAINED_WIDTHS,
        trained_series.rows_of(WidthAxis.OVER_RANDOM, kept or set(series)),
        ".2f",
    )
    failure = evidence.points(
        "their failure rates",
        TRAINED_WIDTHS,
        trained_series.rows_of(WidthAxis.FAILURE, kept or set(series)),
        ".2g",
    )
    variation = evidence.points(
        "total variation of all networks",
        TRAINED_WIDTHS,
        lambda row: row.axis == WidthAxis.TOTAL_VARIATION,
        ".2g",
    )
    names = trained_series.said_together(series[key] for key in series if key in kept)
    left = ""
    for key, rows in series.items():
        if key not in kept:
            name = trained_series.said(rows)
            wide = [row.x for row in rows if (row.high or row.y) > KEEPS]
            off = [f"{d:g}" for d in dict.fromkeys(wide)]
            worst = evidence.point(
                f"failure rate over that of the best random hashes, the most, {name}",
                TRAINED_WIDTHS,
                trained_series.most(rows),
                ".3g",
            )
            left += (
                f" At {name} they do not keep it at d = {', '.join(off)}, and fail up to "
                f"{worst:.0f} times as often (between {worst.low:.0f} and {worst.high:.0f})."
            )
    return Finding(
        [trained_series.most_of(series, kept), failure.low < 0.2 * failure.high],
        f"Networks trained by the recipe that follows from their sizes keep the law at {names}: "
        f"from failure rates of {failure.high:.2g} down to {failure.low:.1e} they fail "
        f"{ratio.low:.2f} to {ratio.high:.2f} times as often as the best random hashes of their "
        "width.",
        f"They keep it in {len(kept)} of {len(series)} series, where keeping it means to fail at "
        f"most {KEEPS:g} times as often, upper end, at every width."
        f"{_most_often(evidence, [row for key in kept for row in series[key]])}{left}"
        f"{_of_a_language_model(evidence)} Of the networks of these series, {over_random.passed} "
        f"of {over_random.total} meet the target of {MOST_OVER_RANDOM:g} times, and the slope "
        f"agrees in {slopes.passed} of {slopes.total} "
        "series. Where failures are too few to count, they are those that the masks foresee; "
        f"others are rarer than {UNFORESEEN:.1g} where none was met. Total variation does not fall "
        "as fast as failures: it lies between "
        f"{variation.low:.2g} and {variation.high:.2g}.",
        limited=len(kept) < len(series) or variation.low > failure.low,
        scope="" if len(kept) == len(series) else f"in {len(kept)} of {len(series)} series",
    )


def _most_often(evidence: Evidence, rows: list[ScaledPoint]) -> str:
    """Which network fails most often compared with the law, and how dense its hashes are."""
    most = max(rows, key=lambda row: row.y, default=None)
    if most is None:
        return ""
    sizes = f"n = {most.n:,}, k = {most.k}, d = {most.d}"
    found = f" They fail most often, {most.y:.2f} times, at {sizes}"
    has_bits = trained_series.of_the_same(most, WidthAxis.BITS)
    if not any(map(has_bits, evidence.rows(TRAINED_WIDTHS))):
        return f"{found}."
    bits, best = (
        evidence.point(
            f"{label} of the network that fails most often compared with the law",
            TRAINED_WIDTHS,
            trained_series.of_the_same(most, axis),
            style,
        )
        for axis, label, style in (
            (WidthAxis.BITS, "bits a token", ".1f"),
            (WidthAxis.BEST_BITS, "best bits a token", ".0f"),
        )
    )
    return f"{found}, where a token has {bits:.1f} bits and {best:.0f} are best."


def _of_a_language_model(evidence: Evidence) -> str:
    """Networks of a language model's vocabulary; nothing where their results are not there."""
    rows = [
        row
        for row in (evidence.rows(VOCABULARY_WIDTHS) if evidence.there(VOCABULARY) else ())
        if row.axis == WidthAxis.FAILURE and row.kind == Kind.TRAINED
    ]
    if not rows:
        return ""
    n, k = f"n = {rows[0].n:,}", " and ".join(f"{k}" for k in dict.fromkeys(r.k for r in rows))
    d = ", ".join(f"{d}" for d in dict.fromkeys(row.d for row in rows))

    def over(axis: WidthAxis, label: str, style: str) -> Range:
        def fits(row: Point) -> bool:
            return row.axis == axis and row.kind != Kind.WEIGHTED

        return evidence.points(f"{label}, {n}", VOCABULARY_WIDTHS, fits, style)

    ratio = over(WidthAxis.OVER_RANDOM, "failure rate over that of the best random hashes", ".3g")
    bits = over(WidthAxis.BITS, "bits a token", ".1f")
    best = over(WidthAxis.BEST_BITS, "bits a token of the best random hashes", ".0f")
    who, fail = ("A network", "fails") if len(rows) == 1 else ("Networks", "fail")
    return (
        f" {who} trained at {n}, k = {k} and d = {d} {fail} {between(ratio, ',.2f')} times as "
        f"often as the best random hashes; a token has {between(bits, '.0f')} bits there, where "
        f"{between(best, '.0f')} are best."
    )


def harder_target(evidence: Evidence) -> Finding:
    """Claim 13."""
    fewest, most = min(harder_task.VOCABULARIES), max(harder_task.VOCABULARIES)
    dprime = harder_task.QUOTED_DPRIME

    def variation(n: int) -> Number:
        def fits(row: Point) -> bool:
            at = row.axis == harder_task.Axis.TV and row.kind == Kind.DIRECT
            return at and (row.n, row.x) == (n, dprime)

        label = f"total variation without a false positive, d' = {dprime}, n = {n:,}"
        return evidence.point(label, HARDER_TASK, fits, ".4f")

    small, large = variation(fewest), variation(most)
    bound = evidence.passed(
        "checks that total variation stays below its bound",
        Checks(SCALING, harder_task.NAME, harder_task.Quantity.TV_BOUND),
    )
    own_kl = evidence.observed(
        "KL of the construction, lower ends",
        Checks(SCALING, harder_task.NAME, harder_task.Quantity.KL),
        ".2g",
        "widths",
    )
    direct_kl = evidence.observed(
        "KL of one dense code without a layer, lower ends",
        Checks(
            SCALING,
            harder_task.NAME,
            harder_task.Quantity.DIRECT_KL,
            lambda check: check.interval[1] is None,  # at the construction's width
        ),
        ".2g",
        "widths",
    )

    def layer(number: OfLayer, task: Kinds, label: str, style: str) -> Number:
        def fits(row: SeedPoint) -> bool:
            return (row.axis, row.series, row.seed) == (number, task, None)

        return evidence.point(f"{label}, {task} task", LAYERS, fits, style)

    clamp, agreement, bits, eigenvalue = (
        {task: layer(number, task, label, style) for task in Kinds}
        for number, label, style in (
            (OfLayer.CLAMP, "share of clamp units", ".1%"),
            (OfLayer.CLAMP_AGREEMENT, "agreement of clamp units' masks", ".2%"),
            (OfLayer.BITS, "bits per token", ".1f"),
            (OfLayer.EIGENVALUE, "mean eigenvalue of W_in W_out", ".3f"),
        )
    )
    harder, uniform = Kinds.HARDER, Kinds.UNIFORM
    return Finding(
        [
            # what leaks to the vocabulary does not grow with it
            large.high < 1.1 * small,
            bool(bound),
            direct_kl.low > own_kl.high,
            clamp[harder] > 0.9,
            agreement[harder] > 0.98,
        ],
        f"With the same {dprime} further coordinates, total variation on inputs without a false "
        f"positive is {small:.4f} at n = {fewest:,} and {large:.4f} at n = {most:,}. In the hidden "
        f"layer of a network trained on the harder task {clamp[harder]:.0%} of the units clamp "
        f"(trained on the uniform task: {clamp[uniform]:.0%}), and their two masks agree on "
        f"{agreement[harder]:.1%} of the entries ({agreement[uniform]:.1%}).",
        "The layer is of the same kind and not the same: its code has "
        f"{bits[harder]:.1f} bits a token, where the uniform task's has {bits[uniform]:.1f}, and "
        f"the mean eigenvalue of W_in W_out is {eigenvalue[harder]:.3f} "
        f"({eigenvalue[uniform]:.3f}).",
    )


def pseudo_inverse_readout(evidence: Evidence) -> Finding:
    """Claim 14."""
    n, k = pseudo_inverse.TASKS[-1]
    counted = evidence.points(
        f"share of inputs on which it fails, counted, n = {n}, k = {k}",
        PSEUDO_INVERSE,
        lambda row: (row.n, row.k, row.kind) == (n, k, Kind.DIRECT),
        ".2g",
        "widths",
    )
    weighted = evidence.points(
        f"the same by weighted draws, n = {n}, k = {k}",
        PSEUDO_INVERSE,
        lambda row: (row.n, row.k, row.kind) == (n, k, Kind.TILTED),
        ".2g",
        "widths",
    )
    law = evidence.passed(
        "failure rates that agree with its exact law",
        Checks(SCALING, pseudo_inverse.NAME, pseudo_inverse.Quantity.FAILURE),
    )
    clamp, other = (
        network.number(
            "share of units that are of one mechanism", lambda a: a.mechanism.score.units, ".1%"
        )
        for network in (source(evidence), complement(evidence))
    )
    return Finding(
        [bool(law), counted.low < 0.05, weighted.low < 1e-6, clamp > 0.9, other > 0.9],
        "Where no other token's logit reaches the members', the mass on the k tokens tends to 1 "
        f"as the logits are scaled up. At n = {n:,} and k = {k} that fails on "
        f"{counted.high:.0%} of inputs at the smallest width measured, and on "
        f"{weighted.low:.0e} of them at the largest, as its exact law has it ({law.passed} of "
        f"{law.total} checks). It needs the inverse of a k × k matrix for every input. The units "
        f"of the trained networks do something else: {clamp:.0%} of those of one network clamp, "
        f"and {other:.0%} of those of another mark what nobody owns.",
        "That a network is unlikely to compute it is what training shows here, and no theorem.",
    )


def language_model_sizes(evidence: Evidence) -> Finding:
    """Claim 15."""
    failures = {
        model: evidence.check(
            f"P_fail at the capacity, {model.label}",
            SCALING,
            Which(
                language_models.NAME,
                language_models.Quantity.FAILURE,
                {"model": model, "rival": Rival.BLOOM},
            ),
            ".2g",
        )
        for model in language_models.MEASURED
    }

    def capacity(model: Model, rival: Rival) -> Number:
        def fits(row: ModelPoint) -> bool:
            at = (row.axis, row.model) == (language_models.Axis.CAPACITY, model)
            return at and row.series == rival

        label = f"largest k in {model.label}, ε = {language_models.EPSILON:.0e}, {rival.label}"
        return evidence.point(label, CAPACITIES, fits, ".0f")

    small, large = Model.GPT2_SMALL, Model.GPT2_XL
    bloom, bloom_large = (capacity(model, Rival.BLOOM) for model in (small, large))
    inverse = capacity(small, Rival.PSEUDO_INVERSE)
    limit = capacity(small, Rival.INFORMATION)
    (n, d), (_, wide) = SHAPES[small], SHAPES[large]
    return Finding(
        [
            *(each.high < language_models.EPSILON for each in failures.values()),
            # the number of tokens grows at least as fast as the width
            bloom_large > 0.95 * wide / d * bloom,
            # and falls little short of what a readout computes that inverts a matrix an input
            bloom > 0.75 * inverse,
            bloom <= limit,
        ],
        f"In the {d} coordinates of {small.label} one Bloom filter holds random sets of "
        f"{bloom:.0f} of {n:,} tokens and fails on {failures[small]:.1e} of them, as was measured. "
        f"The pseudo-inverse of a random W_U holds {inverse:.0f}, and no residual of {d} bits "
        f"could hold more than {limit:.0f}. In the {wide:,} coordinates of {large.label} the "
        f"filter holds {bloom_large:.0f}.{_trained_language_model(evidence)}",
        "That is what the width allows, and not what GPT-2 does: these W_U are random, and how "
        "many tokens share an output was measured of one small language model only.",
    )


def _trained_language_model(evidence: Evidence) -> str:
    """How many tokens share the outputs of one; nothing where its results are not there."""
    if not evidence.there(SMOLLM2_READOUT.job):
        return ""

    def number(label: str, get: Callable[[Report], float], style: str = ".0f") -> Number:
        return evidence.number(f"{label}, SmolLM2-135M-Instruct", SMOLLM2_READOUT, get, style)

    n, d = number("tokens", lambda r: r.n), number("coordinates", lambda r: r.d)
    tokens = number(
        "tokens that share its outputs, median perplexity",
        lambda r: only(given(r.natural).outputs, lambda each: each.name == Whose.MODEL).effective_k,
    )
    capacity = number(
        "largest random sets that are on top for some residual, random W_U of its n and d",
        lambda r: given(r.natural).capacity,
    )
    within = number(
        "share of its outputs that no more share", lambda r: given(r.natural).within_capacity, ".0%"
    )
    return (
        f" In a trained language model, SmolLM2-135M-Instruct with {d:.0f} coordinates for "
        f"{n:,.0f} tokens, a typical output on a text is shared by {tokens:.0f} tokens (median "
        f"perplexity), and {within:.0%} of the outputs by no more than the {capacity:.0f} of which "
        "a random W_U would still put a random set on top for some residual."
    )


WIDTH_CLAIMS = (
    Claim(
        "12",
        "Width k log(n/ε), where dense codes pay a power of 1/ε",
        "Error ε costs a Bloom filter width O(k log(n/ε)), while superposition by "
        "Johnson–Lindenstrauss codes costs width polynomial in 1/ε.",
        width_law,
        formula="d ≈ k log₂((n − k)/ε)/(ln 2 · κ(k)), κ(k) ≈ 1 + 0.19/k²",
        figures=[
            (SCALING, failure_against_width.NAME),
            (SCALING, width_against_error.NAME),
            (SCALING, dense_softmax.NAME),
            (SCALING, dense_threshold.NAME),
            (SCALING, width_of_rivals.NAME),
            (SCALING, distance_from_best.NAME),
        ],
    ),
    Claim(
        "12b",
        "Trained networks keep to the width law",
        "The solution that networks learn needs width O(k log(n/ε)) too.",
        learned_width_law,
        formula="d ln(failure rate)/dd = −(ln 2)² κ(k)/k",
        figures=[
            (WIDTH, trained_failure_against_width.NAME),
            (RECIPE, recipe_off_by_two.NAME),
        ],
        where_there=[(VOCABULARY, trained_failure_against_width.NAME)],
    ),
    Claim(
        "13",
        "Any distribution over the k tokens, for width without n",
        "The harder task, an arbitrary distribution over the k tokens, reduces to this one with "
        "further width that does not depend on n; a network trained on it has the same hidden "
        "layer.",
        harder_target,
        formula="Var η_i = (‖l‖² − l_i²)/d', d' = 2 ‖l‖² ln(2k/ε)/η²",
        figures=[(SCALING, harder_task.NAME), (SURVEY, harder_hidden_layer.NAME)],
    ),
    Claim(
        "14",
        "The pseudo-inverse concentrates too",
        "The closed form of the softmax-bottleneck paper, the pseudo-inverse of the members' "
        "readout columns, also concentrates the mass on the k tokens; a network is unlikely to "
        "compute it.",
        pseudo_inverse_readout,
        formula="E#FP = (n − k) P(t_ν > √(ν/k)), ν = d − k + 1, Student t",
        figures=[(SCALING, pseudo_inverse.NAME)],
    ),
    Claim(
        "15",
        "A width of 768 is enough for sets of GPT-2's 50,257 tokens",
        "It makes GPT-2's residual width of d = 768 for n = 50,257 tokens less mysterious.",
        language_model_sizes,
        formula="largest k with P_fail(n, k, d, best m) ≤ ε",
        figures=[(SCALING, language_models.NAME)],
    ),
)
