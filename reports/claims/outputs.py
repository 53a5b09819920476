"""Claims about what a trained network puts out: its mass, its members, its intruders."""

from __future__ import annotations

import math
from collections.abc import Callable

from reports.claims.sources import complement, source
from reports.jobs import SOURCE_ANALYSIS, STUDY
from reports.ledger import Claim, Finding
from reports.numbers import Checks, Evidence
from reports.traced import given, only
from simulate.jobs.intervals import Estimate
from train.analysis.behaviour import MissingBits
from train.analysis.departures import MoreTokens
from train.analysis.figure_ids import FigureId
from train.analysis.record import Analysis
from train.panels import learned_codes

# an intruder's mean probability and a member's are almost equal within this factor
ALMOST = 1.5


def level(record: Analysis, missing: int) -> MissingBits:
    """The non-members that miss so many bits."""
    return only(record.missing_bit_levels, lambda each: each.missing == missing)


def two_clusters(evidence: Evidence) -> Finding:
    """Claim 3."""
    clamp = source(evidence)
    tv = clamp.number("total variation", lambda a: a.total_variation, ".4f")
    failure = clamp.number("failure rate", lambda a: a.failure_rate, ".4f")
    failing = clamp.number(
        "mass, 99 % quantile of the failing inputs",
        lambda a: given(a.behaviour.mass_clusters.failing)[2],
        ".3f",
    )
    passing = clamp.number(
        "mass, 1 % quantile of the others",
        lambda a: given(a.behaviour.mass_clusters.passing)[0],
        ".3f",
    )
    between = clamp.number(
        "inputs in the middle half between k/(k + 1) and 1",
        lambda a: a.behaviour.mass_clusters.between,
        ".2%",
    )
    study = evidence.observed(
        "total variation, upper ends, all seeds of the study",
        Checks(STUDY, learned_codes.NAME, learned_codes.Quantity.TOTAL_VARIATION),
        ".4f",
    )
    return Finding(
        # the middle is much emptier than the rare cluster
        [tv.high < 0.05, study.high < 0.05, between.high < 0.5 * failure.low, failing < passing],
        f"Total variation is {tv:.4f}, and {failure:.2%} of inputs fail. Over the study's "
        f"{study.count} networks it lies between {study.low:.4f} and {study.high:.4f} (upper "
        "ends of the intervals); the best of them were trained longer, from a layer that starts "
        f"as a clamp. Nearly all failing inputs have a mass below {failing:.2f}, and nearly "
        f"all others one above {passing:.2f}.",
        f"The gap is not empty: {between:.2%} of inputs lie in the middle half of it.",
        limited=between > 0.0,
    )


def nearly_uniform(evidence: Evidence) -> Finding:
    """Claim 4."""
    clamp = source(evidence)
    uneven = clamp.number(
        "total variation from non-uniformity",
        lambda a: a.behaviour.non_uniformity.total_variation,
        ".4f",
    )
    leak = clamp.number(
        "total variation from leakage", lambda a: a.behaviour.leakage.total_variation, ".4f"
    )
    sd, other_sd = (
        network.number(
            "sd of the members' logits, nats", lambda a: a.behaviour.non_uniformity.member_logit_sd
        )
        for network in (clamp, complement(evidence))
    )
    return Finding(
        [uneven.high < 0.05, leak.high < 0.05],
        f"The members' logits differ by {sd:.3f} nats (standard deviation), which costs "
        f"{uneven:.4f} of total variation; leakage to other tokens costs {leak:.4f}. In the "
        f"complement network the members' logits differ by {other_sd:.2f} nats.",
    )


def passes_for_member(evidence: Evidence) -> Finding:
    """Claim 5."""
    clamp = source(evidence)
    logit = clamp.number(
        "logit of covered non-members less the members' mean, nats",
        lambda a: level(a, 0).logit.mean,
        ".2f",
    )
    logit_sd = clamp.number("its sd, nats", lambda a: level(a, 0).logit.sd, ".2f")
    size = clamp.number(
        "bits of the union, all inputs",
        lambda a: given(a.behaviour.given_false_positive).union_size.all,
        ".2f",
    )
    size_given = clamp.number(
        "bits of the union, given a false positive",
        lambda a: given(given(a.behaviour.given_false_positive).union_size.given),
        ".2f",
    )
    near = clamp.number(
        "tokens that miss one bit, all inputs",
        lambda a: given(a.behaviour.given_false_positive).near_misses.all,
        ".3f",
    )
    near_given = clamp.number(
        "tokens that miss one bit, given a false positive",
        lambda a: given(given(a.behaviour.given_false_positive).near_misses.given),
        ".3f",
    )
    return Finding(
        [size_given.low > size.high, near_given.low > near.high, abs(logit) < math.log(ALMOST)],
        f"Given a false positive the union has {size_given:.1f} bits where {size:.1f} are usual, "
        f"and {near_given:.2f} other tokens miss one bit where {near:.2f} are usual.",
        "The intruder can be told apart a little: on average its logit is "
        f"{logit:+.2f} nats from the members' mean, with a standard deviation of {logit_sd:.2f}. "
        f"That leaves it {math.exp(logit):.2f} times a member's probability; up to a factor of "
        f"{ALMOST:g} counts as almost equal.",
        limited=logit < -0.05,
    )


def levels_of_missing_bits(evidence: Evidence) -> Finding:
    """Claim 6."""
    clamp = source(evidence)
    covered = clamp.number(
        "failures by a covered token", lambda a: given(a.behaviour.failures).covered
    )
    near = clamp.number("failures by a near miss", lambda a: given(a.behaviour.failures).near_miss)
    other = clamp.number("failures by another token", lambda a: given(a.behaviour.failures).other)
    one = clamp.number(
        "mean probability, one bit missing", lambda a: level(a, 1).probability.mean, ".4f"
    )
    one_sd = clamp.number("sd of that probability", lambda a: level(a, 1).probability.sd, ".4f")
    logit_0 = clamp.number("mean logit, none missing", lambda a: level(a, 0).logit.mean, ".2f")
    logit_1 = clamp.number("mean logit, one missing", lambda a: level(a, 1).logit.mean, ".2f")
    logit_2 = clamp.number("mean logit, two missing", lambda a: level(a, 2).logit.mean, ".2f")
    clear = clamp.number(
        "lowest logit with none missing less the highest with one, nats",
        lambda a: given(level(a, 0).clear_of_next),
        ".2f",
    )
    first, second = logit_0 - logit_1, logit_1 - logit_2
    return Finding(
        [
            covered > 99 * (near + other),
            one < 0.05,
            first > 2.0,
            0.8 * first < second < 1.25 * first,
        ],
        f"A covered token causes {covered:,.0f} of the failures, a near miss {near:.0f} and any "
        f"other token {other:.0f}. The mean logits fall in nearly equal steps, {logit_0:.1f}, "
        f"{logit_1:.1f} and {logit_2:.1f} nats for 0, 1 and 2 missing bits. A token that misses "
        f"one bit gets a probability of {one:.2%} ± {one_sd:.2%}.",
        "The levels are equal on average only. Bits are worth different amounts, which gives the "
        "probability with one bit missing the spread above, and the levels overlap at their "
        f"extremes: the lowest logit of a covered token is {-clear:.1f} nats below the highest of "
        "a token that misses one bit.",
        limited=clear < 0.0,
    )


def nothing_uncovered(evidence: Evidence) -> Finding:
    """Claim 7."""
    clamp = source(evidence)
    largest, other_largest = (
        network.number(
            "largest probability of an uncovered token",
            lambda a: given(a.behaviour.largest_uncovered_probability),
            ".3f",
        )
        for network in (clamp, complement(evidence))
    )
    inputs = clamp.number("fresh inputs", lambda a: a.behaviour.inputs)
    covered = clamp.number(
        "inputs with a covered token", lambda a: given(a.mechanistic_failure_rate), ".4f"
    )
    below = clamp.number(
        "inputs with a member below an uncovered token",
        lambda a: given(a.behaviour.member_below_uncovered),
        ".2g",
    )
    return Finding(
        # where the masks cover everything nothing is uncovered
        [largest < 0.2, covered.high < 0.1],
        f"On {inputs:,.0f} inputs no uncovered token had a probability above {largest:.3f}. A "
        f"member's logit was below that of an uncovered token on {below:.3%} of them (the upper "
        f"end of the interval is {below.high:.3%}).",
        f"The complement network gave an uncovered token a probability of up to "
        f"{other_largest:.2f}.",
        limited=other_largest > 0.2,
    )


def tokens(record: Analysis, count: int) -> MoreTokens:
    """What the network does on inputs of so many tokens."""
    return only(record.behaviour.more_tokens, lambda each: each.tokens == count)


def _of_tokens(
    count: int, measure: Callable[[MoreTokens], Estimate]
) -> Callable[[Analysis], Estimate]:
    return lambda a: measure(tokens(a, count))


def soft_limit(evidence: Evidence) -> Finding:
    """Claim 8."""
    clamp = source(evidence)
    k = clamp.number("tokens that it was trained on", lambda a: a.k)
    failure_3, failure_4 = (
        clamp.number(
            f"failure rate, {count} tokens", _of_tokens(count, lambda row: row.failure_rate), ".4f"
        )
        for count in (3, 4)
    )
    tv_3, tv_4 = (
        clamp.number(
            f"total variation, {count} tokens",
            _of_tokens(count, lambda row: row.total_variation),
            ".4f",
        )
        for count in (3, 4)
    )
    lowest_4, lowest_5 = (
        clamp.number(
            f"probability of the least likely member, {count} tokens",
            _of_tokens(count, lambda row: row.lowest_member),
            ".4f",
        )
        for count in (4, 5)
    )
    covered_5 = clamp.number(
        "inputs with a covered token, 5 tokens",
        lambda a: given(tokens(a, 5).mechanistic_failure_rate),
        ".4f",
    )
    return Finding(
        # half of what is due to each of 4 members
        [k == 3, failure_4.high < 0.25, lowest_4.low > 0.5 / 4],
        f"Trained on {k:.0f} tokens, the network fails on {failure_4:.1%} of inputs of 4 tokens "
        f"(of 3 tokens: {failure_3:.1%}), and total variation is {tv_4:.3f} (of 3: {tv_3:.3f}).",
        "The limit is soft, but near. Of 4 members the least likely gets a probability of "
        f"{lowest_4:.3f}, where 1/4 is due, and of 5 members {lowest_5:.3f}. With 5 tokens a "
        f"non-member is covered on {covered_5:.0%} of inputs.",
    )


def bad_inputs(evidence: Evidence) -> Finding:
    """Claim 11."""
    clamp = source(evidence)
    largest = clamp.number(
        "largest union found, bits",
        lambda a: given(a.behaviour.extreme_unions).largest.union_size,
    )
    largest_near = clamp.number(
        "its tokens that miss one bit",
        lambda a: given(a.behaviour.extreme_unions).largest.near_misses,
        ".3g",
    )
    smallest = clamp.number(
        "smallest union found, bits",
        lambda a: given(a.behaviour.extreme_unions).smallest.union_size,
    )
    smallest_near = clamp.number(
        "its tokens that miss one bit",
        lambda a: given(a.behaviour.extreme_unions).smallest.near_misses,
        ".3g",
    )
    usual = clamp.number(
        "tokens that miss one bit, all inputs",
        lambda a: given(a.behaviour.given_false_positive).near_misses.all,
    )
    return Finding(
        [largest > smallest, largest_near > 3.0 * usual.high, smallest_near < usual.low],
        f"The largest union found has {largest:.0f} bits and {largest_near:.3g} tokens that miss "
        f"one bit, where {usual:.2f} are usual; the smallest has {smallest:.0f} bits and "
        f"{smallest_near:.3g} such tokens.",
    )


OUTPUT_CLAIMS = (
    Claim(
        "3",
        "Total variation is small, and failing inputs stand apart from the others",
        "Held-out total variation is small. The mass on the k tokens is discrete: there is a rare "
        "cluster below a visible gap, the false positives, and the rest is near 1.",
        two_clusters,
        formula="an input fails where its mass is below (k/(k + 1) + 1)/2",
        figures=[(SOURCE_ANALYSIS, FigureId.MASS_ON_MEMBERS), (STUDY, learned_codes.NAME)],
    ),
    Claim(
        "4",
        "Typical outputs are nearly uniform",
        "A typical input's output is nearly uniform over its k tokens.",
        nearly_uniform,
        formula="TV = (1 − mass) + the members' own non-uniformity",
        figures=[
            (SOURCE_ANALYSIS, FigureId.TYPICAL_OUTPUT),
            (SOURCE_ANALYSIS, FigureId.UNIFORMITY),
        ],
    ),
    Claim(
        "5",
        "A false positive passes for a member",
        "At a false positive k + 1 tokens share the mass almost equally, and the intruder cannot "
        "be told from the members. Given a false positive the union is larger than usual, so that "
        "other tokens miss few bits too.",
        passes_for_member,
        formula="P(w | false positive) ∝ P(W = w) f(w), f(w) = C(w, m)/C(d, m)",
        figures=[
            (SOURCE_ANALYSIS, FigureId.FALSE_POSITIVE_OUTPUT),
            (SOURCE_ANALYSIS, FigureId.GIVEN_FALSE_POSITIVE),
        ],
    ),
    Claim(
        "6",
        "Only covered tokens pass for members, and every missing bit costs the same",
        "The hash of each intruder is covered by the union of the members' hashes. Tokens that "
        "miss one bit get a small and nearly equal probability, with one level for each number of "
        "missing bits; a baseline token gets nothing.",
        levels_of_missing_bits,
        formula="logit_j = const − β M_j, M_j = |S_j \\ union|",
        figures=[
            (SOURCE_ANALYSIS, FigureId.HASHES_AGAINST_UNION),
            (SOURCE_ANALYSIS, FigureId.MISSING_BIT_LEVELS),
        ],
    ),
    Claim(
        "7",
        "No token above a threshold was uncovered",
        "Over many inputs, every token with more than some threshold of the probability was fully "
        "covered.",
        nothing_uncovered,
        figures=[(SOURCE_ANALYSIS, FigureId.COVERED_OR_NOT)],
    ),
    Claim(
        "8",
        "The number k is a soft limit",
        "Inputs of more than k tokens are still handled.",
        soft_limit,
        formula="an input of t tokens fails where its mass is below (t/(t + 1) + 1)/2",
        figures=[(SOURCE_ANALYSIS, FigureId.MORE_TOKENS)],
    ),
    Claim(
        "11",
        "Inputs whose hashes hardly meet are the bad ones",
        "Tokens whose hashes hardly intersect make a large union, and with it many near misses; "
        "within one input overlap is good.",
        bad_inputs,
        formula="f(w) = C(w, m)/C(d, m) grows with the union's size w",
        figures=[
            (SOURCE_ANALYSIS, FigureId.LARGEST_UNION_OUTPUT),
            (SOURCE_ANALYSIS, FigureId.SMALLEST_UNION_OUTPUT),
            (SOURCE_ANALYSIS, FigureId.FAILURE_BY_UNION_SIZE),
        ],
    ),
)
