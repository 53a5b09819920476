"""From a network to its certificate: what to claim, and what the checker accepts of it."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from simulate.jobs import intervals
from simulate.jobs.journal import Journal
from simulate.network import ReluNetwork
from simulate.sampling import random_sets
from theory.domain import DomainError
from train.certificate import checker, replay
from train.certificate.gates import Gates, gates
from train.certificate.levels import WAYS, Levels, levels
from train.certificate.search import Outcome, Search, Witness
from train.reading.masks import CLAMP, NEITHER, extract
from train.reading.normal_form import NormalForm

CONFIDENCE = 0.95
Arithmetic = Literal["real", "float32", "bfloat16"]
Bracket = tuple[float, float]
Statement = dict[str, Any]
MOST_INPUTS = 2**25
# of the alpha of one input this share may stay undecided in each box
PRECISION = 0.006
# levels are derived in weaker ways too, for comparison, of at most so many tokens
_MOST_COMPARED = 1024
# margins of at most this many missing bits are searched
_MOST_LEVELS = 4
_BLOCK_SAMPLES = 2**8
# multiplications spent on a first look at random inputs, and at most on a sample; and what a box
# costs besides
_WARM_UP, _SAMPLED, _OVERHEAD = 2**31, 2**35, 2**17
# of an input's alpha but this share is all
_ALL = 1e-9
# claims of sums over all inputs are weaker than what was summed by this share
_ROOM = 1e-6
# what asks for probabilities, and how often another margin is tried
_WIDE: list[Statement] = [{"kind": "failure", "by": "enumeration", "between": [0.0, 1.0]}]
_ATTEMPTS = 3
# a margin is claimed so far below the smallest that was seen, at least
_TOLERANCE = 1e-3


def proposed(network: ReluNetwork, k: int, c: float) -> NormalForm:
    """The normal form under the masks that the network's two modes show.

    Units of neither orientation belong to nobody. Raises DomainError as `masks.extract` does.
    """
    masks = extract(network, k, c)
    oriented = masks.orientation != NEITHER
    sign = np.where(masks.orientation == CLAMP, -1, 1)
    form = NormalForm(network, k, c, masks.read & oriented, sign)
    # of a unit that nobody owns either side may be the linear path: the one that is mostly on
    typical = np.median(form.read.mid, axis=0) * k * (1.0 + c) / 2.0 + form.bias.mid
    sign = np.where(~oriented & (typical < 0.0), -1, sign)
    return NormalForm(network, k, c, form.owners, sign)


def check_arithmetic(network: ReluNetwork, arithmetic: Arithmetic) -> None:
    """Raise DomainError where the weights are not numbers of the arithmetic's format."""
    if not checker.held(weights_of(network), arithmetic):
        raise DomainError(
            f"arithmetic must be one whose format holds the weights, such as real; got {arithmetic}"
        )


@dataclass(frozen=True)
class Sampled:
    """A search over independent random inputs: bounds, each with CONFIDENCE."""

    inputs: int
    confidence: float
    failure: Bracket
    total_variation: Bracket


@dataclass(frozen=True)
class Proof:
    """What was derived of one network, and its certificate.

    weaker: the levels in two weaker ways, unit by unit and with any number of tokens; none where
    there are many tokens. witnesses: the smallest margins seen, by missing
    bits. enumerated: the sums over all inputs that the certificate rests on, None where it does
    not. sampled: None unless there are too many inputs.
    """

    form: NormalForm
    gates: Gates
    levels: Levels
    weaker: tuple[Levels, ...]
    witnesses: tuple[Witness, ...]
    certificate: Statement
    enumerated: tuple[np.ndarray, float] | None
    sampled: Sampled | None


@dataclass(frozen=True)
class Verdict:
    """One statement of a certificate, in words, and whether the checker proved it."""

    statement: Statement
    sentence: str
    proved: bool


def prove(
    form: NormalForm,
    rng: np.random.Generator,
    arithmetic: Arithmetic = "real",
    samples: int = 2000,
    most_inputs: int = MOST_INPUTS,
    precision: float = PRECISION,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    journal: Path | None = None,
    resume: bool = False,
) -> Proof:
    """Gates, levels, a search for small margins, and the certificate.

    samples: inputs that are looked at where there are more than `most_inputs`, which may be 0.
    precision: see `checker.Enumeration`. journal: where finished parts of the enumeration are kept;
    resume: whether those of an earlier run are taken over. Raises DomainError where float
    arithmetic is asked for and the weights are not of its format.
    """
    check_arithmetic(form.network, arithmetic)
    _ = form.reference  # all three ways share what it rests on
    ways = WAYS if form.n <= _MOST_COMPARED else WAYS[:1]
    with ThreadPoolExecutor(jobs) as pool:
        found, *others = pool.map(levels, repeat(form), ways)
    decided = gates(form)
    bits = len(found.margin) - 1
    n, k = form.n, form.k
    looks = min(math.comb(n, k), max(256, min(4096, _WARM_UP // (n * form.h * (k + 3)))))
    search = Search(form, min(bits, _MOST_LEVELS))
    seen = search.warm_up(random_sets(rng, looks, n, k), rng)

    drafted = draft(form, arithmetic, precision)
    proposal = checker.Checker(weights_of(form.network), drafted, jobs)
    statements = _of_gates(proposal, decided) + _of_structure(proposal, bits)
    statements += _of_witnesses(proposal, seen)
    settled = any(
        x["kind"] == "outranks" and x["missing"] == 1 and x["margin"] > 0.0 for x in statements
    )
    few, counted, sampled = proposal.every <= most_inputs, {}, None
    kept = _Journals(journal, resume)
    exact = False
    if settled and proposal.every <= MOST_INPUTS:
        drafted["statements"] = _wide(checker.STRUCTURE)
        counted[checker.STRUCTURE] = _counted(drafted, proposal, jobs, progress, kept)
        claims, exact = _by_structure(checker.Checker(proposal.weights, drafted, counted=counted))
        statements += claims
    if few and not exact:
        claims, found = _by_enumeration(
            drafted, proposal, seen, search.tolerance, settled, jobs, progress, kept
        )
        statements, counted = statements + claims, counted | found
    elif not exact:
        sampled = _sample(form, rng, samples, jobs, progress)
    drafted["statements"] = statements
    drafted.pop("own")
    return Proof(form, decided, found, tuple(others), seen, drafted, counted, sampled)


def check(proof: Proof, weights: bytes, certificate: bytes) -> list[Verdict]:
    """What the checker says of the two files; the first verdict is of their being of one network.

    Sums over all inputs that the checker's own code found for the proof are not found again.
    """
    tensors = checker.read_weights(weights)
    cert = checker.read_certificate(certificate, tensors)
    verdicts = checker.Checker(tensors, cert, counted=proof.counted).verdicts()
    return [Verdict(x or {}, sentence, proved) for x, sentence, proved in verdicts]


def draft(form: NormalForm, arithmetic: Arithmetic, precision: float) -> Statement:
    """A certificate that states nothing yet: the choices that its proofs rest on."""
    weights = weights_of(form.network)
    return {
        "schema": checker.SCHEMA,
        "n": form.n,
        "k": form.k,
        "c": form.c,
        "arithmetic": arithmetic,
        "weights": checker.fingerprint(weights, form.k, form.c, arithmetic),
        "owners": base64.b64encode(np.packbits(form.owners).tobytes()).decode(),
        "sign": form.sign.tolist(),
        **{name: value.tolist() for name, value in form.reference.items()},
        "precision": precision,
        "statements": [],
        "own": form.owners,
    }


def weights_of(network: ReluNetwork) -> dict[str, np.ndarray]:
    """The tensors that there are, by name."""
    found = {name: getattr(network, name) for name in checker.AXES}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _below(value: Fraction) -> float:
    found = float(value) + 0.0
    return found if Fraction(found) <= value else math.nextafter(found, -math.inf)


def _above(value: Fraction) -> float:
    return -_below(-value)


def _of_gates(proposal: checker.Checker, decided: Gates) -> list[Statement]:
    """Gates that are proved, and inputs that refute others."""
    net = proposal.net
    found: list[Statement] = []
    hit = decided.hit.holds & (net.hit + net.z_round <= 0.0)
    missed = decided.missed.holds & (net.missed_low - net.z_round >= 0.0)
    for kind, units in (("hit", hit), ("missed", missed)):
        if units.any():
            found.append({"kind": kind, "units": np.flatnonzero(units).tolist()})
    for statement in (decided.hit, decided.missed):
        for unit in np.flatnonzero(~statement.holds).tolist():
            tokens, alpha = statement.tokens[unit].tolist(), statement.alpha[unit].tolist()
            found.append({"kind": "gate_errs", "unit": unit, "tokens": tokens, "alpha": alpha})
    return [x for x in found if proposal.prove(x)[1]]


def _of_structure(proposal: checker.Checker, bits: int) -> list[Statement]:
    """Margins that need no enumeration, and what members and covered tokens differ by."""
    margins, spread, gap = proposal.structure
    found: list[Statement] = [
        {"kind": "outranks", "missing": s, "by": "structure", "margin": _below(margins[s])}
        for s in range(1, bits + 1)
        if math.isfinite(margins[s])
    ]
    for kind, most in (("member_spread", spread), ("covered_gap", gap)):
        if math.isfinite(most):
            found.append({"kind": kind, "at_most": _above(most)})
    return found


def _of_witnesses(proposal: checker.Checker, seen: tuple[Witness, ...]) -> list[Statement]:
    """Inputs with small margins, replayed."""
    found: list[Statement] = []
    room = 2.0 * proposal.net.logit_round
    for level, witness in enumerate(seen):
        if math.isfinite(witness.margin) and math.isfinite(room):
            lead = np.subtract(
                *proposal.net.replay(witness.tokens, witness.alpha, [witness.member, witness.other])
            )
            found.append(
                {
                    "kind": "margin_at_most",
                    "missing": level,
                    "tokens": list(witness.tokens),
                    "alpha": list(witness.alpha),
                    "member": witness.member,
                    "other": witness.other,
                    "at_most": _above(lead + Fraction(room)),
                }
            )
    return [x for x in found if proposal.prove(x)[1]]


def _is_sharp(proposal: checker.Checker) -> bool:
    """Whether structure alone says that inputs fail where they are covered, and only there."""
    margins, _, gap = proposal.structure
    n, k = proposal.net.n, proposal.net.k
    with np.errstate(over="ignore"):
        few = (n - k) * math.exp(-float(margins[1])) / k < 0.999 / (2 * k + 1)
        return few and float(np.exp(-float(gap))) / k > 1.001 / (2 * k + 1)


def _to_enumerate(
    proposal: checker.Checker, seen: tuple[Witness, ...], tolerance: float, settled: bool
) -> list[Statement]:
    """What to find of all inputs: the first level whose margin may be proved, and probabilities."""
    room = 2.0 * proposal.net.logit_round
    rounding = float(checker.Enumeration(proposal.net, 0, -math.inf, None).error)
    for level, witness in enumerate(seen):
        margin = witness.margin - 2.0 * room - max(tolerance, _TOLERANCE) - 4.0 * rounding
        if level and math.isfinite(witness.margin) and margin > 0.0 and not settled:
            ranking = {"kind": "outranks", "missing": level, "by": "enumeration", "margin": margin}
            return [*_WIDE, ranking]
    return _WIDE


@dataclass(frozen=True)
class _Part:
    """The sums over the inputs with one smallest token; margin: as text, since it may be inf."""

    sums: list[float]
    margin: str

    @classmethod
    def of(cls, sums: np.ndarray, margin: float) -> _Part:
        return cls([float(x) for x in sums], repr(float(margin)))


def _enumerate(
    drafted: Statement,
    proposal: checker.Checker,
    jobs: int,
    progress: Callable[[int, int], None] | None,
    journal: Path | None,
    resume: bool,
) -> tuple[np.ndarray, float]:
    """The sums of the checker's enumeration, part by part, kept in the journal."""
    asked = checker.Checker(proposal.weights, drafted)
    search = checker.Enumeration(asked.net, *asked.wanted())
    if journal is None:
        return search.run(jobs, progress)
    plain = {name: value for name, value in drafted.items() if name != "own"}
    code = Path(checker.__file__).read_bytes()
    what = hashlib.sha256(repr(plain).encode() + code).hexdigest()
    firsts = range(proposal.net.n - proposal.net.k + 1)
    with Journal(journal, {"enumeration": what}, resume) as kept:

        def part_of(first: int) -> _Part:
            return msgspec.convert(kept.results[str(first)], _Part)

        done_before = {first for first in firsts if str(first) in kept.results}
        left = [first for first in firsts if first not in done_before]
        done = sum(int(part_of(first).sums[0]) for first in done_before)
        with ThreadPoolExecutor(jobs) as pool:
            for first, (sums, margin) in zip(left, pool.map(search.part, left), strict=True):
                kept.record(str(first), msgspec.to_builtins(_Part.of(sums, margin)))
                done += int(sums[0])
                if progress is not None:
                    progress(done, proposal.every)
        total = np.zeros(7), math.inf
        for first in firsts:
            part = part_of(first)
            total = checker.both(total, (np.array(part.sums), float(part.margin)))
    return total


def _of_enumeration(found: checker.Checker, by: str) -> list[Statement]:
    """What the sums over all inputs say, with room for another machine's rounding."""
    sums, smallest = found.sums
    statements: list[Statement] = []
    for asked in found.cert["statements"]:
        if asked["kind"] == "outranks":
            reached = smallest >= asked["margin"]
            margin = asked["margin"] if reached else smallest - _ROOM * (1.0 + abs(smallest))
            if margin > 0.0:
                statements.append({**asked, "margin": float(margin)})
    covered, tokens = (int(x) for x in sums[1:3])
    statements.append({"kind": "covered", "inputs": covered, "covered_tokens": tokens})
    for kind in ("failure", "total_variation"):
        low, high = found.between(kind, by)
        exact = by == "structure" and kind == "failure"
        room = 0.0 if exact else _ROOM
        between = [max(low - room * (1.0 + low), 0.0), min(high + room * (1.0 + high), 1.0)]
        statements.append({"kind": kind, "by": by, "between": [float(x) for x in between]})
    return statements


def _sample(
    form: NormalForm,
    rng: np.random.Generator,
    samples: int,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> Sampled:
    """Failure and total variation of random inputs, in real arithmetic; no part of a certificate.

    Failure by Clopper-Pearson: from below of those that fail for all alpha, from above of those
    that fail for some. Total variation by Hoeffding's inequality.
    """
    a_box = max(form.n * form.h * (form.k + 3), _OVERHEAD)
    search = Search(form, 0, min(10, (_SAMPLED // (samples * a_box)).bit_length()))
    starts = range(0, samples, _BLOCK_SAMPLES)
    sizes = [min(_BLOCK_SAMPLES, samples - start) for start in starts]
    blocks = (np.sort(random_sets(rng, size, form.n, form.k), axis=1) for size in sizes)
    certain = possible = done = 0
    low = high = 0.0
    outcome: Outcome
    for outcome in search.run_all(blocks, (Witness(),), jobs):
        certain += int((outcome.failure_low > 1.0 - _ALL).sum())
        possible += int((outcome.failure_high > 0.0).sum())
        low, high = low + outcome.tv_low.sum(), high + outcome.tv_high.sum()
        done += len(outcome.tv_low)
        if progress is not None:
            progress(done, samples)
    least = intervals.proportion(certain, samples, CONFIDENCE).interval[0] * (1.0 - _ALL)
    most = intervals.proportion(possible, samples, CONFIDENCE).interval[1]
    room = math.sqrt(math.log(2.0 / (1.0 - CONFIDENCE)) / (2.0 * samples))
    variation = float(max(low / samples - room, 0.0)), float(min(high / samples + room, 1.0))
    return Sampled(samples, CONFIDENCE, (least, most), variation)


def replayed(network: ReluNetwork, witness: Witness) -> Fraction:
    """l_member - l_other of the real network at the witness, exactly."""
    alpha = [Fraction(value) for value in witness.alpha]
    member, other = replay.logits(network, witness.tokens, alpha, [witness.member, witness.other])
    return member - other
