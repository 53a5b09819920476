"""The verdict in three parts: structure, mechanism and behaviour, each with its numbers.

- structure: the units' two masks are two-level and agree (`mechanism.judged`).
- mechanism: the layer does it. It narrows what the union's units pass on, and the bits that the
  masks and the union name explain the logits.
- behaviour: the network does as its masks say: it fails where they cover a non-member, members are
  output, and the logits are large enough.

A network is a Bloom filter where all three hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulate.jobs.intervals import Count, Estimate, Mean
from train.analysis.behaviour import NO_CODE, Behaviour
from train.analysis.causal import CausalRecord
from train.analysis.heard import NAMED_SHARE, Heard
from train.analysis.mechanism import Mechanism, UnitCounts, Verdict
from train.reading.failure import fails
from train.reading.masks import NEITHER

# the layer leaves at most so much of the union's width, and the bits explain at least so much of
# what varies in the logits
MOST_LEFT, LEAST_EXPLAINED = 0.5, 0.5
# inputs on which the network fails if and only if its masks cover a non-member
LEAST_IN_ACCORD = 0.9
# inputs on which a member stands below a token that misses a bit; total variation beyond the masks'
MOST_BELOW, MOST_EXCESS = 0.02, 0.2
# inputs that fail although the members outrank all others
MOST_FLAT = 0.05


@dataclass(frozen=True)
class StructureEvidence:
    """What the masks say, and the numbers it rests on. verdict: by the masks alone."""

    holds: bool
    reason: str
    verdict: Verdict
    units: UnitCounts
    mask_agreement: float | None
    score: float


@dataclass(frozen=True)
class MechanismEvidence:
    """What the layer does with the units' states and with the logits.

    narrowed: the width of the union's states after the layer over that before it. returned: median
    share of what a clamp unit reads that its own firing takes back. explained: share of the
    logits' variance over inputs that the bits explain. exact_failure_rate, exact_total_variation:
    when the network is made the exact filter of its masks; as_it_is_*: the same before, on the same
    inputs. None where there is nothing to measure, or the section was not asked for.
    """

    holds: bool
    reason: str
    union_sd_before: Estimate | None
    union_sd_after: Estimate | None
    narrowed: float | None
    returned: float | None
    explained: float | None
    as_it_is_failure_rate: Estimate | None
    exact_failure_rate: Estimate | None
    as_it_is_total_variation: Estimate | None
    exact_total_variation: Estimate | None


@dataclass(frozen=True)
class BehaviourEvidence:
    """What the network does beside what its masks say of the same inputs; None without masks.

    predicted_failure_rate: inputs that cover a non-member. predicted_total_variation: of the exact
    filter of the masks, F/(k + F) with F covered non-members. in_accord: inputs that fail if and
    only if they cover one. flat: inputs that fail although all members outrank all others and none
    of these is covered.
    silent_tokens: tokens that are never output. loud_tokens: that are output on most inputs that
    neither hold nor cover them. tokens_without_bits: tokens that no unit knows.
    """

    holds: bool
    reason: str
    failure_rate: Estimate
    predicted_failure_rate: Estimate | None
    false_positive_rate_per_input: Estimate
    total_variation: Estimate
    predicted_total_variation: Estimate | None
    in_accord: Estimate | None
    member_below_uncovered: Estimate | None
    flat: Estimate
    silent_tokens: int
    tokens_without_bits: int
    loud_tokens: int = 0


@dataclass(frozen=True)
class Evidence:
    """The three parts."""

    structure: StructureEvidence
    mechanism: MechanismEvidence
    behaviour: BehaviourEvidence

    @property
    def verdict(self) -> Verdict:
        """The structure's verdict where the mechanism holds, else none."""
        return self.structure.verdict if self.mechanism.holds else Verdict.NONE

    @property
    def bloom_filter(self) -> bool:
        """Whether all three parts hold."""
        return self.structure.holds and self.mechanism.holds and self.behaviour.holds

    @property
    def reason(self) -> str:
        """Why the verdict is what it is: the first part that does not hold, or the structure's."""
        for part in (self.structure, self.mechanism, self.behaviour):
            if not part.holds:
                return part.reason
        return self.structure.reason


def structure(how: Mechanism) -> StructureEvidence:
    """Today's verdict of the masks."""
    record = how.record
    return StructureEvidence(
        holds=record.verdict is not Verdict.NONE,
        reason=record.reason,
        verdict=record.verdict,
        units=record.units,
        mask_agreement=record.agreement.value,
        score=record.score.value,
    )


def mechanism(how: Mechanism, structure_holds: bool) -> MechanismEvidence:
    """Whether the layer does what the structure says; never without the structure."""
    record = how.record
    bands, readout = record.bands, record.readout
    narrowed = None if bands is None else bands.narrowed
    explained = None if readout is None else readout.over_inputs
    returned = record.layer.returned
    narrow = narrowed is None or narrowed <= MOST_LEFT
    clear = explained is not None and explained >= LEAST_EXPLAINED
    if not structure_holds:
        reason = "the masks show no filter whose layer could be judged"
    elif narrowed is not None and narrowed > MOST_LEFT:
        reason = (
            f"the layer hardly acts: it leaves {100 * narrowed:.1f} % of the width of the union's "
            f"states, where a filter leaves at most {100 * MOST_LEFT:.0f} %"
        )
    elif explained is None:
        reason = "no bit was seen both inside and outside the union, or none moves a logit"
    elif not clear:
        reason = (
            f"the bits explain {100 * max(explained, 0.0):.1f} % of what varies in the logits, "
            "which come from elsewhere"
        )
    else:
        left = "" if narrowed is None else f"the layer leaves {100 * narrowed:.2g} % of the width "
        left += "of the union's states, and " if left else ""
        reason = f"{left}the bits explain {100 * explained:.1f} % of what varies in the logits"
    return MechanismEvidence(
        holds=structure_holds and narrow and clear,
        reason=reason,
        union_sd_before=None if bands is None else bands.before.union_sd,
        union_sd_after=None if bands is None else bands.after.union_sd,
        narrowed=narrowed,
        returned=None if returned is None else returned.median,
        explained=explained,
        as_it_is_failure_rate=None,
        exact_failure_rate=None,
        as_it_is_total_variation=None,
        exact_total_variation=None,
    )


def with_path(found: MechanismEvidence, causal: CausalRecord) -> MechanismEvidence:
    """The same with what the way into the exact filter changes."""
    if not causal.path:
        return found
    first, *_, last = causal.path
    return replace(
        found,
        as_it_is_failure_rate=first.failure_rate,
        exact_failure_rate=last.failure_rate,
        as_it_is_total_variation=first.total_variation,
        exact_total_variation=last.total_variation,
    )


def behaviour(what: Behaviour, tokens: Heard) -> BehaviourEvidence:
    """Whether the network does as its masks say."""
    silent, loud = tokens.silent, tokens.loud
    record, seen, k = what.record, what.sample.outcomes, what.subject.k
    failed = fails(seen.mass, k)
    known = record.code_absent is None
    covered = (seen.false_positives > 0) & known
    flat = Count.of(failed & (seen.intruding == 0) & ~covered).at()
    accord = Count.of(failed == covered).at() if known else None
    predicted = Mean.of(seen.false_positives / (k + seen.false_positives)).at() if known else None
    bare = int((~what.hashes.any(axis=1)).sum()) if known else 0
    below = record.member_below_uncovered
    wrong = []
    if accord is None or predicted is None or below is None:
        wrong.append(NO_CODE)
    else:
        if silent.size:
            wrong.append(f"{_tokens(silent.size)} never output")
        if loud.size:
            wrong.append(f"{_tokens(loud.size)} output whatever the input")
        if bare:
            wrong.append(f"{_tokens(bare)} without bits, and covered by every input")
        if flat.value > MOST_FLAT:
            wrong.append(too_flat(flat))
        if below.value > MOST_BELOW:
            wrong.append(
                f"on {100 * below.value:.1f} % of the inputs a member stands below a token that "
                "misses a bit"
            )
        if accord.value < LEAST_IN_ACCORD:
            wrong.append(
                f"it fails on {100 * record.failure_rate.value:.3g} % of the inputs, and its masks "
                f"say {100 * covered.mean():.3g} %: they agree on {100 * accord.value:.1f} %"
            )
        if not wrong and record.total_variation.value - predicted.value > MOST_EXCESS:
            wrong.append(
                f"its total variation is {record.total_variation.value:.3g}, and its masks say "
                f"{predicted.value:.3g}"
            )
    right = (
        f"it fails on {100 * record.failure_rate.value:.3g} % of the inputs and its masks cover a "
        f"non-member on {100 * covered.mean():.3g} %"
    )
    return BehaviourEvidence(
        holds=not wrong,
        reason="; ".join(wrong) or right,
        failure_rate=record.failure_rate,
        predicted_failure_rate=record.mechanistic_failure_rate,
        false_positive_rate_per_input=record.false_positive_rate_per_input,
        total_variation=record.total_variation,
        predicted_total_variation=predicted,
        in_accord=accord,
        member_below_uncovered=below,
        flat=flat,
        silent_tokens=int(silent.size),
        loud_tokens=int(loud.size),
        tokens_without_bits=bare,
    )


def too_flat(flat: Estimate) -> str:
    """That the logit scale is too small, in words."""
    return (
        f"the logit scale is too small: on {100 * flat.value:.1f} % of the inputs all members "
        "outrank all others and still share too little of the probability"
    )


def _tokens(count: int) -> str:
    return f"{count} token is" if count == 1 else f"{count} tokens are"


def of_tokens(found: Heard) -> dict[int, list[str]]:
    """What is odd about tokens by their behaviour, in words: silent and loud ones, if few."""
    said: dict[int, list[str]] = {}
    most = NAMED_SHARE * len(found.uninvited)
    for token in found.silent if found.silent.size <= most else ():
        said[int(token)] = ["silent: it is never output, even as a member"]
    for token in found.loud if found.loud.size <= most else ():
        share = 100 * found.uninvited[token]
        said.setdefault(int(token), []).append(
            f"loud: it is output on {share:.0f} % of the inputs that do not hold it"
        )
    return said


def of_network(how: Mechanism, what: Behaviour, found: BehaviourEvidence) -> list[str]:
    """What is odd about the whole network, in words."""
    said = []
    if found.flat.value > MOST_FLAT:
        said.append(too_flat(found.flat))
    if found.silent_tokens > NAMED_SHARE * how.subject.network.n:
        said.append(f"{found.silent_tokens} of {how.subject.network.n} tokens are never output")
    code = how.record.code
    if code is None:
        return said
    oriented = int((how.masks.orientation != NEITHER).sum())
    if oriented > code.d:
        said.append(
            f"{oriented} units are {code.d} bits: some of them are owned by the same tokens"
        )
    best, own = code.optimal_bits_per_token.failure, code.bits_per_token
    if own < best / 2 or own > 2 * best:
        said.append(
            f"the code is far from its optimum: {own:.3g} bits of {code.d} a token, where "
            f"{best:.0f} would fail least"
        )
    return said
