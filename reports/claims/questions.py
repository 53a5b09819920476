"""The source's open questions A, C and D: proof, uniformity, language models."""

from __future__ import annotations

from collections.abc import Callable

from reports.claims.sources import (
    CAPACITIES,
    FINISHED,
    PROOF,
    RECOGNISER_READOUT,
    SMOLLM2_READOUT,
    complement,
    source,
)
from reports.documents import Document
from reports.jobs import (
    FINISHED_CERTIFICATE,
    SCALING,
    SOURCE_ANALYSIS,
    SOURCE_CERTIFICATE,
    SURVEY,
)
from reports.ledger import Claim, Finding
from reports.numbers import Evidence, Number
from reports.traced import given, only
from simulate.jobs.intervals import Estimate
from simulate.panels import language_models
from train.analysis.record import Analysis
from train.analysis.uniformity import NAME as UNIFORMITY_FIGURE
from train.analysis.uniformity import Cause, Part
from train.certificate.report import NAME as CERTIFICATE_FIGURE
from train.certificate.report import How, Margin, Record
from train.panels import (
    uniformity,
)
from train.readout.report import Report


def margin(record: Record, missing_bits: int) -> Margin:
    """Leads over tokens that miss so many bits at least."""
    return only(record.margins, lambda each: each.missing_bits == missing_bits)


def proof(evidence: Evidence) -> Finding:
    """Question A."""
    searched = evidence.fact("what was searched, source", PROOF, lambda p: p.searched.how)
    inputs = evidence.number("inputs searched, source", PROOF, lambda p: p.searched.inputs)
    seen = evidence.number(
        "smallest lead over a token that misses a bit, seen and replayed, source",
        PROOF,
        lambda p: given(margin(p, 1).seen),
        ".3f",
    )
    level = evidence.number(
        "missing bits from which it is proved, source", PROOF, lambda p: given(p.smallest_level)
    )
    lead = evidence.number(
        "smallest proved lead over a token that misses so many bits, source",
        PROOF,
        lambda p: given(margin(p, given(p.smallest_level)).proved),
        ".4f",
    )
    failure = evidence.bounds(
        "proved bounds on the failure rate, source", PROOF, lambda p: p.failure, ".4f"
    )
    gates = evidence.number("gates proved for every input, source", PROOF, lambda p: p.gates.proved)
    units = evidence.number("units, source", PROOF, lambda p: p.gates.units)
    structural = evidence.fact(
        "all proved from the weights alone, finished", FINISHED, lambda p: p.structural
    )
    finished = evidence.number(
        "proved lead over a token that misses a bit, finished",
        FINISHED,
        lambda p: given(margin(p, 1).proved),
        ".3f",
    )
    finished_seen = evidence.number(
        "smallest lead seen, finished", FINISHED, lambda p: given(margin(p, 1).seen), ".3f"
    )
    evidence.number(
        "the same by interval bounds without exactly k tokens, finished",
        FINISHED,
        lambda p: given(margin(p, 1).any_number_of_tokens),
        ",.0f",
    )
    tv = evidence.number(
        "total variation, finished",
        FINISHED,
        lambda p: given(p.finished).total_variation.value,
        ".4f",
    )
    trained_tv = evidence.number(
        "total variation before, source",
        FINISHED,
        lambda p: given(p.finished).trained_total_variation.value,
        ".4f",
    )
    rate = evidence.bounds(
        "proved bounds on the failure rate, finished", FINISHED, lambda p: p.failure, ".5f"
    )
    searched_all = (
        f" Of the network as it was trained it is proved, over all {inputs:,.0f} inputs and all α, "
        f"that every member outranks every token that misses {level:.0f} bits or more (by "
        f"{lead:.2f} nats at {level:.0f}), and that it fails on between {failure.low:.2%} and "
        f"{failure.high:.2%} of inputs."
    )
    return Finding(
        [bool(structural), finished > 0.0],
        "Yes, of the trained network rounded to its own masks: its weights alone prove a lead of "
        f"{finished:.2f} nats over every token that misses a bit (the smallest that was seen is "
        f"{finished_seen:.2f}) and a failure rate of {rate:.4%}. Its total variation is {tv:.4f}, "
        f"and that of the network as it was trained {trained_tv:.4f}."
        + (searched_all if searched == How.ALL_INPUTS else ""),
        "As it was trained, the network does not always rank a member above a token that misses "
        f"one bit: at one input the member's logit is {-seen:.2f} nats lower. Nor is there a proof "
        f"unit by unit: {gates:.0f} of its {units:.0f} gates hold for every input.",
        limited=seen < 0.0,
        scope="for the network rounded to its masks",
    )


def part(record: Analysis, cause: Cause) -> Part:
    """One part of the variance of the members' logits."""
    return given(record.uniformity).parts[cause]


def _share_of(cause: Cause) -> Callable[[Analysis], Estimate]:
    return lambda a: given(part(a, cause).share)


def uniform_outputs(evidence: Evidence) -> Finding:
    """Question C."""
    clamp, other = source(evidence), complement(evidence)
    sd = clamp.number("sd of the members' logits, nats", lambda a: given(a.uniformity).sd, ".3f")
    unclamped = clamp.number(
        "variance through the units without thresholds, nats²",
        lambda a: given(a.uniformity).unsaturated_variance,
    )
    clamp.number(
        "variance of bit weights alone, nats²", lambda a: given(a.uniformity).hash_dot_variance
    )
    share = {
        cause: clamp.number(
            f"share of the variance, {cause.label}",
            _share_of(cause),
            ".0%",
        )
        for cause in Cause
    }
    other_coefficients, other_bypass = (
        other.number(
            f"share of the variance, {cause.label}",
            _share_of(cause),
            ".0%",
        )
        for cause in (Cause.COEFFICIENTS, Cause.RESIDUAL_PATH)
    )
    remaining = (Cause.COEFFICIENTS, Cause.RESIDUAL_PATH, Cause.OTHER_UNITS)
    return Finding(
        [unclamped > 100.0 * sd**2, sum(share[cause].low for cause in remaining) > 0.5],
        "The thresholds make them so: without them, what comes through the units would have a "
        f"variance of {unclamped:.0f} nats² over the members, and the logits' standard deviation "
        f"is {sd:.3f} nats. Of the variance that is left, {share[Cause.COEFFICIENTS]:.0%} is what "
        f"the coefficients still change, {share[Cause.RESIDUAL_PATH]:.0%} bypasses the units, and "
        f"{share[Cause.OTHER_UNITS]:.0%} comes through units that the token does not own. The "
        f"token's own constant explains {share[Cause.HEIGHT]:.0%}, and the number of hits "
        f"{share[Cause.OVERLAPS]:.0%}.",
        "This says where the variance is in one network. In the complement network "
        f"{other_bypass:.0%} bypasses the units, and {other_coefficients:.0%} is due to the "
        "coefficients.",
    )


def language_models_use(evidence: Evidence) -> Finding:
    """Question D."""
    small = language_models.Model.GPT2_SMALL

    def capacity(rival: language_models.Rival) -> Number:
        return evidence.point(
            f"largest k in {small.label}, ε = {language_models.EPSILON:.0e}, {rival.label}",
            CAPACITIES,
            lambda row: (row.axis, row.x, row.series) == (language_models.Axis.CAPACITY, 0, rival),
            ".0f",
        )

    bloom = capacity(language_models.Rival.BLOOM)
    inverse = capacity(language_models.Rival.PSEUDO_INVERSE)
    _, d = language_models.SHAPES[small]
    found = [_real_model(evidence, *each) for each in READOUTS if evidence.there(each[1].job)]
    return Finding(
        [bloom > 1, inverse > 1],
        f"This is not settled here. The widths leave room for either: the {d} coordinates of "
        f"{small.label} hold {bloom:.0f} tokens by a Bloom filter and {inverse:.0f} by a "
        "pseudo-inverse. A Bloom filter would show as two modes of the readout after a change of "
        "basis, as false positives that are covered by the members, and as levels by the number "
        f"of missing bits.{''.join(found)}",
        settled=False,
    )


def _real_model(evidence: Evidence, name: str, readout: Document[Report]) -> str:
    """What was found in the readout of a network that others trained, in sentences."""

    def number(label: str, get: Callable[[Report], float], style: str = ".2f") -> Number:
        return evidence.number(f"{label}, {name}", readout, get, style)

    verdict = evidence.fact(
        f"verdict of the search for two-level directions, {name}", readout, lambda r: r.verdict
    )
    explained = number(
        "variance between the levels of the best direction",
        lambda r: r.two_level.near[0].explained,
        ".0%",
    )
    # the outputs are of the model, and of a Bloom filter of its sizes
    spacing = number(
        "variation of the spacings of ranked logits",
        lambda r: given(r.natural).outputs[0].spacing_cv,
    )
    of_filter = number(
        "the same, Bloom filter of its n, d and k",
        lambda r: given(r.natural).outputs[1].spacing_cv,
    )
    effective = number(
        "tokens that share its outputs, median perplexity",
        lambda r: given(r.natural).outputs[0].effective_k,
        ".1f",
    )
    largest = number(
        "largest random set that an ideal residual can put on top",
        lambda r: r.ideal.k_star,
        ".0f",
    )
    return (
        f" In the readout of {name} the search for two-level directions says: {verdict}; the best "
        f"direction has {explained:.0%} of its variance between two levels. Its outputs fall off "
        f"smoothly (the spacings of ranked logits vary by {spacing:.2f} of their mean, those of a "
        f"Bloom filter of its sizes by {of_filter:.2f}), and {effective:.1f} tokens share a "
        f"typical one, where an ideal residual could put random sets of {largest:.0f} on top."
    )


READOUTS = (
    ("the text recogniser PP-OCRv4", RECOGNISER_READOUT),
    ("the language model SmolLM2", SMOLLM2_READOUT),
)

OPEN_QUESTIONS = (
    Claim(
        "A",
        "Can it be proved that the network is a Bloom filter?",
        "For every input and all α ∈ [1, c]: does every member outrank every token that misses a "
        "bit, and how often does the network fail?",
        proof,
        formula="inf over inputs, α, members a, tokens t that miss s bits of l_a − l_t > 0",
        question=True,
        figures=[
            (SOURCE_CERTIFICATE, CERTIFICATE_FIGURE),
            (FINISHED_CERTIFICATE, CERTIFICATE_FIGURE),
        ],
    ),
    Claim(
        "C",
        "Why are the outputs so uniform?",
        "The members' logits are nearly equal although coefficients, hashes and overlaps differ. "
        "What makes them so, and what is left?",
        uniform_outputs,
        formula="l_a − mean = height + coefficients + hits + which tokens + other units + residual",
        question=True,
        figures=[(SOURCE_ANALYSIS, UNIFORMITY_FIGURE), (SURVEY, uniformity.NAME)],
    ),
    Claim(
        "D",
        "What do language models use?",
        "What do real language models use to put probability on few tokens?",
        language_models_use,
        question=True,
        figures=[(SCALING, language_models.NAME)],
    ),
)
