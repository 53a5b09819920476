"""From a network to its certificate: what to claim, and what the checker accepts of it."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from scipy.special import log_softmax

from simulate.jobs import intervals
from simulate.jobs.journal import Journal
from simulate.network import ReluNetwork, divergence
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError
from train.certificate import checker, replay
from train.certificate.gates import Gates, gates
from train.certificate.levels import WAYS, Levels, levels
from train.certificate.witness import Witness, smallest
from train.reading.failure import fails
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
# inputs of a sample that are looked at together
_BATCH = 256
# claims of sums over all inputs are weaker than what was summed by this share
_ROOM = 1e-6
# shares of the smallest margin that was seen, but for a tolerance, that are to be proved, one after
# the other; all of it only where n^3 h is small
_WANTED, _TOLERANCE, _TIGHT = (1.0, 0.5, 0.1), 2e-3, 2**28
_CODE = Path(checker.__file__).parent


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
    """Independent random inputs: bounds, each with CONFIDENCE."""

    inputs: int
    confidence: float
    failure: Bracket
    total_variation: Bracket


@dataclass(frozen=True)
class Proof:
    """What was derived of one network, and its certificate.

    weaker: the levels in two weaker ways, unit by unit and with any number of tokens; none where
    there are many tokens. witnesses: the smallest margins seen, by missing bits. counted, ranked:
    what the checker's code found for the certificate, as `checker.Checker` takes it. sampled: None
    where all inputs were looked at.
    """

    form: NormalForm
    gates: Gates
    levels: Levels
    weaker: tuple[Levels, ...]
    witnesses: tuple[Witness, ...]
    certificate: Statement
    counted: dict[str, np.ndarray]
    ranked: dict[int, float]
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
    drafted = draft(form, arithmetic, precision)
    proposal = checker.Checker(weights_of(form.network), drafted, jobs)
    small = form.n**3 * form.h <= checker.MOST_STEPS and most_inputs > 0
    seen = smallest(proposal.net, min(bits, _MOST_LEVELS), rng, small)
    statements = _of_gates(proposal, decided) + _of_structure(proposal, bits)
    statements += _of_witnesses(proposal, seen)
    settled = _settled(statements)
    ranked: dict[int, float] = {}
    if small:
        claims, ranked = _of_prefixes(proposal, seen, settled, progress)
        statements += claims

    keep = _Keep(drafted, proposal, jobs, progress, journal, resume)
    counted: dict[str, np.ndarray] = {}
    exact, sampled = False, None
    if settled == 1 and proposal.every <= MOST_INPUTS:
        counted[checker.STRUCTURE] = keep.counted(checker.STRUCTURE)
        exact = _is_exact(counted[checker.STRUCTURE])
    if not exact and proposal.every <= most_inputs:
        counted = {checker.ENUMERATION: keep.counted(checker.ENUMERATION)}
    for by in counted:
        statements += _of_inputs(checker.Checker(proposal.weights, drafted, counted=counted), by)
    if not exact and checker.ENUMERATION not in counted:
        sampled = _sample(form, rng, samples)
    drafted["statements"] = statements
    drafted.pop("own")
    return Proof(form, decided, found, tuple(others), seen, drafted, counted, ranked, sampled)


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


def _settled(statements: Sequence[Statement]) -> int | None:
    """The fewest missing bits that are enough, from the structure alone."""
    ranking = (x for x in statements if x["kind"] == "outranks" and x["margin"] > 0.0)
    return min((x["missing"] for x in ranking), default=None)


def _of_prefixes(
    proposal: checker.Checker,
    seen: tuple[Witness, ...],
    settled: int | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[Statement], dict[int, float]]:
    """The first level, below that settled already, whose margin may be proved, if it can."""
    room = 2.0 * proposal.net.logit_round
    for level, witness in enumerate(seen):
        if settled is not None and level >= settled:
            break
        most = witness.margin - 2.0 * room - _TOLERANCE
        if level == 0 or not 0.0 < most < math.inf:
            continue
        for share in _WANTED if proposal.net.n**3 * proposal.net.h <= _TIGHT else _WANTED[1:]:
            search = checker.Prefixes(proposal.net, level, share * most)
            least = float(search.run(proposal.jobs, progress))
            margin = least - _ROOM * (1.0 + abs(least))
            if margin > 0.0:
                by = checker.PREFIXES
                claim = {"kind": "outranks", "missing": level, "by": by, "margin": margin}
                return [claim], {level: least}
    return [], {}


@dataclass(frozen=True)
class _Keep:
    """Sums over all inputs, part by part, kept in a journal if there is one."""

    drafted: Statement
    proposal: checker.Checker
    jobs: int
    progress: Callable[[int, int], None] | None
    journal: Path | None
    resume: bool

    def counted(self, by: str) -> np.ndarray:
        """Those that the checker's code finds in this way."""
        search = self.proposal.inputs(by)
        if self.journal is None:
            return search.run(self.jobs, self.progress)
        plain = {name: value for name, value in self.drafted.items() if name != "own"}
        code = b"".join(path.read_bytes() for path in sorted(_CODE.glob("*.py")))
        what = hashlib.sha256(repr((by, plain)).encode() + code).hexdigest()
        firsts = range(self.proposal.net.n - self.proposal.net.k + 1)
        with Journal(self.journal.with_suffix(f".{by}.jsonl"), {by: what}, self.resume) as kept:
            parts = {int(first): _sums(part) for first, part in kept.results.items()}
            left = [first for first in firsts if first not in parts]
            done = sum(int(part[0]) for part in parts.values())
            with ThreadPoolExecutor(self.jobs) as pool:
                for first, part in zip(left, pool.map(search.part, left), strict=True):
                    kept.record(str(first), part.tolist())
                    parts[first] = part
                    done += int(part[0])
                    if self.progress is not None:
                        self.progress(done, self.proposal.every)
        # in order, so that rounding is the same whatever was kept
        total = np.zeros(7)
        for first in firsts:
            total += parts[first]
        return total


def _sums(part: object) -> np.ndarray:
    return np.array(msgspec.convert(part, list[float]))


def _is_exact(sums: np.ndarray) -> bool:
    """Whether inputs fail where they are covered, and only there."""
    return bool(sums[1] == sums[3] == sums[4])


def _of_inputs(found: checker.Checker, by: str) -> list[Statement]:
    """What the sums over all inputs say, with room for another machine's rounding."""
    sums = found.sums(by)
    covered, tokens = (int(x) for x in sums[1:3])
    statements: list[Statement] = [{"kind": "covered", "inputs": covered, "covered_tokens": tokens}]
    for kind in checker.PROBABILITIES:
        low, high = found.between(kind, by)
        sharp = by == checker.STRUCTURE and kind == "failure" and _is_exact(sums)
        room = 0.0 if sharp else _ROOM
        between = [max(low - room * (1.0 + low), 0.0), min(high + room * (1.0 + high), 1.0)]
        statements.append({"kind": kind, "by": by, "between": [float(x) for x in between]})
    return statements


def _sample(form: NormalForm, rng: np.random.Generator, samples: int) -> Sampled:
    """Forward passes of random inputs, as the network runs; no part of a certificate.

    Failure by Clopper-Pearson, total variation by Hoeffding's inequality.
    """
    failed, variation = 0, 0.0
    for start in range(0, samples, _BATCH):
        size = min(_BATCH, samples - start)
        tokens = random_sets(rng, size, form.n, form.k)
        logits = form.network.logits(tokens, random_coefficients(rng, size, form.k, form.c))
        mass = np.take_along_axis(log_softmax(logits.astype(np.float64), axis=1), tokens, axis=1)
        failed += int(fails(np.exp(mass).sum(axis=1), form.k).sum())
        variation += float(divergence(logits, tokens).total_variation.sum()) / samples
    room = math.sqrt(math.log(2.0 / (1.0 - CONFIDENCE)) / (2.0 * samples))
    return Sampled(
        samples,
        CONFIDENCE,
        intervals.proportion(failed, samples, CONFIDENCE).interval,
        (max(variation - room, 0.0), min(variation + room, 1.0)),
    )


def replayed(network: ReluNetwork, witness: Witness) -> Fraction:
    """l_member - l_other of the real network at the witness, exactly."""
    alpha = [Fraction(value) for value in witness.alpha]
    member, other = replay.logits(network, witness.tokens, alpha, [witness.member, witness.other])
    return member - other
