"""The source's open questions A, C and D: proof, uniformity, language models."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

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
from reports.traced import given, only, plain
from simulate.jobs.intervals import Estimate
from simulate.panels import language_models
from train.analysis.figure_ids import FigureId
from train.analysis.record import Analysis
from train.analysis.uniformity import Cause, Part
from train.certificate.report import NAME as CERTIFICATE_FIGURE
from train.certificate.report import How, Margin, Record
from train.panels import (
    uniformity,
)
from train.readout.control_searches import Control
from train.readout.controls import CODE_NOISE
from train.readout.figures import FigureId as ReadoutFigure
from train.readout.outputs import Outputs, Whose
from train.readout.reachability import Sets
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


DENSITY = 0.1
# of the share of planted masks that a search must find to say anything of those it does not
POWER = 0.5
# a code that tells tokens apart parts them into about as many groups as there are tokens
GROUPS_PER_TOKEN = 0.01


def language_models_use(evidence: Evidence) -> Finding:
    """Question D: of the networks of others whose results are there."""
    small = language_models.Model.GPT2_SMALL
    bloom = evidence.point(
        f"largest k in {small.label}, ε = {language_models.EPSILON:.0e}, Bloom filter",
        CAPACITIES,
        lambda row: (
            (row.axis, row.model, row.series)
            == (language_models.Axis.CAPACITY, small, language_models.Rival.BLOOM)
        ),
        ".0f",
    )
    measured = [_real_model(evidence, *each) for each in READOUTS if evidence.there(each[1].job)]
    found = (
        "In the readouts of networks that others trained no code of a Bloom filter was found, "
        "among those that the search sees: masks that part the tokens into about as many groups "
        "as there are tokens."
        if measured
        else "No readout of a language model was searched in these results."
    )
    return Finding(
        [bloom > 1, *(holds for conditions, _ in measured for holds in conditions)],
        f"{found} The width would leave room for one: the coordinates of {small.label} hold "
        f"{bloom:.0f} tokens.{''.join(text for _, text in measured)}",
        "This is of two networks and of their last layers. The search was not tried on sparser "
        f"masks, nor on codes whose noise is above {CODE_NOISE:.0%} of a mask's own deviation; it "
        "misses denser ones, codes with more masks than the readout has dimensions, and bits that "
        "are spread over several layers. A filter with noise has spacings much like a dense "
        "code's, so they rule out no more than a filter with little noise.",
        scope="of two networks",
        settled=len(measured) == len(READOUTS),
    )


def outputs_of(record: Report, whose: Whose) -> Outputs:
    """Those of the model or of a control."""
    return only(given(record.natural).outputs, lambda each: each.name == whose)


def _real_model(evidence: Evidence, name: str, readout: Document[Report]) -> tuple[list[bool], str]:
    """What was found in the readout of a network that others trained: conditions, sentences."""

    def number(label: str, get: Callable[[Report], float], style: str = ".2f") -> Number:
        return evidence.number(f"{label}, {name}", readout, get, style)

    verdict = evidence.fact(
        f"verdict of the search for two-level directions, {name}", readout, lambda r: r.verdict
    )
    tokens = number("tokens", lambda r: r.n, ",.0f")
    groups = number(
        "groups into which the two-level directions part the tokens",
        lambda r: r.two_level.groups,
        ".0f",
    )
    power = number(
        f"share of planted masks on {DENSITY:.0%} of the tokens that the search found",
        lambda r: only(r.power, lambda each: each.density == DENSITY).power,
    )
    densest = number(
        "densest masks of which the search found half at least",
        lambda r: [each for each in r.power if cast(float, plain(each.power)) >= POWER][-1].density,
        ".0%",
    )
    explained = number(
        "variance between the levels of the best direction",
        lambda r: r.two_level.near[0].explained,
        ".0%",
    )
    of_normal = number(
        "the same, of the best direction of a normal code",
        lambda r: only(
            r.two_level.nulls, lambda each: each.control == Control.GAUSSIAN
        ).searched.best[0],
        ".0%",
    )

    def spacing_of(whose: Whose, label: str) -> Number:
        return number(label, lambda r: outputs_of(r, whose).spacing_cv)

    # the outputs are of the model, and of codes of its sizes
    spacing = spacing_of(Whose.MODEL, "variation of the spacings of ranked logits")
    of_filter = spacing_of(Whose.BLOOM, "the same, Bloom filter of its n, d and k without noise")
    of_noisy = spacing_of(Whose.NOISY_BLOOM, "the same, Bloom filter with noise")
    of_dense = spacing_of(Whose.DENSE, "the same, dense code")
    effective = number(
        "tokens that share its outputs, median perplexity",
        lambda r: outputs_of(r, Whose.MODEL).effective_k,
        ".1f",
    )
    largest = number(
        "largest random sets tried of which an ideal residual put every one on top",
        lambda r: (
            [
                each
                for each in r.ideal.reachable
                if each.sets == Sets.RANDOM and each.reached == each.tried
            ][-1].k
        ),
        ".0f",
    )
    of_states = evidence.fact(
        f"what its states were checked by, {name}", readout, lambda r: given(r.recipe).check
    )
    checked = number("the value of that", lambda r: given(r.recipe).value, ".3g")
    return [groups < GROUPS_PER_TOKEN * tokens, power >= POWER], (
        f" In {name} the search for two-level directions says: {verdict}. The directions part its "
        f"{tokens:,.0f} tokens into {groups:.0f} "
        f"{'group' if groups == 1 else 'groups'}; the best has {explained:.0%} of its variance "
        f"between two levels, that of a normal code {of_normal:.0%}. The same search finds "
        f"{power:.0%} of planted masks on {DENSITY:.0%} of the tokens, and half at least of those "
        f"on up to {densest:.0%}. Its outputs fall off smoothly: the spacings of its ranked logits "
        f"vary by {spacing:.2f} of their mean, those of a Bloom filter of its sizes by "
        f"{of_filter:.2f} without noise and by {of_noisy:.2f} with noise of {CODE_NOISE:.0%}, and "
        f"those of a dense code by {of_dense:.2f}. {effective:.1f} tokens share a typical output, "
        f"and an ideal residual put all random sets of {largest:.0f} on top that were tried. "
        f"(Of the states, {of_states}: {checked:.3g}.)"
    )


READOUTS = (
    ("the text recogniser PP-OCRv4, on lines of random glyphs,", RECOGNISER_READOUT),
    ("the quantised language model SmolLM2-135M-Instruct", SMOLLM2_READOUT),
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
        figures=[(SOURCE_ANALYSIS, FigureId.UNIFORMITY), (SURVEY, uniformity.NAME)],
    ),
    Claim(
        "D",
        "What do language models use?",
        "What do real language models use to put probability on few tokens?",
        language_models_use,
        question=True,
        figures=[(SCALING, language_models.NAME)],
        where_there=[(each.job, figure) for _, each in READOUTS for figure in ReadoutFigure],
    ),
)
