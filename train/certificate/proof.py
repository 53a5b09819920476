"""Everything that is proved of one network, and the certificate and the record of it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from typing import Any, Literal

import numpy as np

from simulate.enumeration import MOST_INPUTS, subsets
from simulate.jobs import intervals
from simulate.network import ReluNetwork
from simulate.sampling import random_sets
from train.certificate import checker, replay
from train.certificate.gates import Gates, gates
from train.certificate.levels import WAYS, Levels, levels
from train.certificate.probability import Bracket, Consequences, Covered, consequences, covered
from train.certificate.search import Outcome, Search, Witness, merged
from train.reading.masks import CLAMP, NEITHER, extract
from train.reading.normal_form import NormalForm

SCHEMA = 1
CONFIDENCE = 0.95
# margins of at most this many missing bits are searched
_MOST_LEVELS = 4
_BLOCK_INPUTS, _BLOCK_SAMPLES = 2**15, 2**8
# multiplications spent on a first look at random inputs, and at most on a sample; and what a box
# costs besides
_WARM_UP, _SAMPLED, _OVERHEAD = 2**31, 2**35, 2**17
# of an input's alpha but this share is all
_ALL = 1e-9
# claims are weaker than what was derived by this share, unless that was free of rounding
_ROOM = 1e-6

How = Literal["all inputs", "sample", "unneeded"]


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


@dataclass(frozen=True)
class Searched:
    """What a search over inputs found.

    how: over all inputs, over independent random ones, or not at all as levels and masks settle
    everything. inputs, boxes: how many. levels: the levels that were followed. margin_low
    [levels + 1]: lower bounds on the margins over the inputs searched, -inf where none was.
    witnesses: the smallest margins seen, of more levels. failure, total_variation: bounds on the
    probability of failure and the mean total variation, of all inputs or with CONFIDENCE.
    """

    how: How
    inputs: int
    boxes: int
    levels: int
    margin_low: np.ndarray
    witnesses: tuple[Witness, ...]
    failure: Bracket
    total_variation: Bracket


@dataclass(frozen=True)
class Proof:
    """All of it. separate, plain: the levels in two weaker ways."""

    form: NormalForm
    gates: Gates
    levels: Levels
    separate: Levels
    plain: Levels
    masks: Covered
    consequences: Consequences
    searched: Searched

    @property
    def structural(self) -> bool:
        """Every gate is proved, and with them that members outrank whatever misses a bit."""
        margin = self.levels.margin
        return bool(self.gates.proved.all() and len(margin) > 1 and margin[1] > 0.0)

    @property
    def margins(self) -> np.ndarray:
        """The best lower bound on the margin of each level 0..bits over all inputs."""
        best = self.levels.margin.copy()
        if self.searched.how == "all inputs":
            found = self.searched.margin_low
            for s in range(1, len(best)):
                # a token that misses s bits misses as many as any level below asks for
                best[s] = max(best[s], found[min(s, len(found) - 1)])
        return best

    @property
    def smallest_level(self) -> int | None:
        """The smallest s for which every member is proved above every token missing s bits."""
        positive = np.flatnonzero(self.margins[1:] > 0.0)
        return int(positive[0]) + 1 if len(positive) else None


def prove(
    form: NormalForm,
    rng: np.random.Generator,
    samples: int = 2000,
    most_inputs: int = MOST_INPUTS,
    splits: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Gates, levels and probabilities, and a search where the levels leave something open.

    samples: inputs that are searched where there are more than `most_inputs`. splits: how often a
    box is halved to settle failure, 3 to 10 by the number of inputs if not given. progress: told
    how many inputs of how many are done.
    """
    masks = covered(form.owners, form.k)
    _ = form.reference  # all three ways share what it rests on
    with ThreadPoolExecutor(jobs) as pool:
        found, separate, plain = pool.map(levels, repeat(form), WAYS)
    follows = consequences(form, found, masks)
    decided = gates(form)
    bits = len(found.margin) - 1
    settled = decided.proved.all() and bits > 0 and found.margin[1] > 0.0 and follows.sharp
    # how often an input is covered may not be known
    settled = settled and masks.inputs is not None
    searched = _search(form, rng, bits, bool(settled), samples, most_inputs, splits, jobs, progress)
    return Proof(form, decided, found, separate, plain, masks, follows, searched)


def _search(
    form: NormalForm,
    rng: np.random.Generator,
    bits: int,
    settled: bool,
    samples: int,
    most_inputs: int,
    splits: int | None,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> Searched:
    n, k = form.n, form.k
    followed = min(bits, _MOST_LEVELS)
    every = math.comb(n, k)
    looks = min(every, max(256, min(4096, _WARM_UP // (n * form.h * (k + 3)))))
    seen = Search(form, followed).warm_up(random_sets(rng, looks, n, k), rng)
    if settled:
        nothing = np.full(followed + 1, -np.inf)
        return Searched("unneeded", 0, 0, 0, nothing, seen, (0.0, 1.0), (0.0, 1.0))
    how: How = "all inputs" if every <= most_inputs else "sample"
    if how == "all inputs":
        # the first level that may be provable; what is refuted below it is refuted
        above = [s for s in range(1, followed + 1) if seen[s].margin > 0.0]
        inputs, followed, block = every, above[0] if above else min(followed, 1), _BLOCK_INPUTS
        automatic = 3 if inputs > 10**6 else 6 if inputs > 10**4 else 10
    else:
        # margins of a sample prove nothing
        inputs, followed, block = samples, 0, _BLOCK_SAMPLES
        a_box = max(n * form.h * (k + 3), _OVERHEAD)
        automatic = min(10, (_SAMPLED // (inputs * a_box)).bit_length())
    search = Search(form, followed, automatic if splits is None else splits)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, inputs, block):
            stop = min(start + block, inputs)
            if how == "all inputs":
                yield subsets(n, k, start, stop)
            else:
                yield np.sort(random_sets(rng, stop - start, n, k), axis=1)

    total = _Total(search, seen[: followed + 1])
    for outcome in search.run_all(blocks(), seen[: followed + 1], jobs):
        total.add(outcome)
        if progress is not None:
            progress(total.inputs, inputs)
    brackets = total.of_all() if how == "all inputs" else total.with_confidence()
    return Searched(
        how,
        inputs,
        total.boxes,
        followed,
        total.margin_low,
        (*total.witnesses, *seen[followed + 1 :]),
        *brackets,
    )


class _Total:
    """Outcomes added up."""

    def __init__(self, search: Search, seen: tuple[Witness, ...]) -> None:
        self.search, self.witnesses = search, seen
        self.open_low = np.full(len(seen), np.inf)
        self.inputs = self.boxes = self.certain = self.possible = 0
        self.sums = np.zeros(4)

    def add(self, outcome: Outcome) -> None:
        """One more block of inputs."""
        self.witnesses, self.open_low, boxes = merged(
            self.witnesses, self.open_low, self.boxes, outcome
        )
        self.boxes = boxes
        self.inputs += len(outcome.failure_low)
        self.certain += int((outcome.failure_low > 1.0 - _ALL).sum())
        self.possible += int((outcome.failure_high > 0.0).sum())
        values = outcome.failure_low, outcome.failure_high, outcome.tv_low, outcome.tv_high
        self.sums += [math.fsum(value) for value in values]

    @property
    def margin_low(self) -> np.ndarray:
        seen = np.array([witness.margin for witness in self.witnesses])
        return np.minimum(seen - self.search.tolerance, self.open_low)

    def of_all(self) -> tuple[Bracket, Bracket]:
        """Failure and total variation when these were all inputs."""
        mean = self.sums / self.inputs
        low, high = mean * (1.0 - 1e-12), np.minimum(mean * (1.0 + 1e-12), 1.0)
        return (float(low[0]), float(high[1])), (float(low[2]), float(high[3]))

    def with_confidence(self) -> tuple[Bracket, Bracket]:
        """The same when these were independent random inputs, each bracket with CONFIDENCE.

        Failure by Clopper-Pearson: from below of those that fail for all alpha, from above of those
        that fail for some. Total variation by Hoeffding's inequality.
        """
        certain = intervals.proportion(self.certain, self.inputs, CONFIDENCE)
        possible = intervals.proportion(self.possible, self.inputs, CONFIDENCE)
        low, high = self.sums[2:] / self.inputs
        room = math.sqrt(math.log(2.0 / (1.0 - CONFIDENCE)) / (2.0 * self.inputs))
        return (
            (certain.interval[0] * (1.0 - _ALL), possible.interval[1]),
            (float(max(low - room, 0.0)), float(min(high + room, 1.0))),
        )


def certificate(proof: Proof) -> dict[str, Any]:
    """What `checker` verifies, as plain data.

    The masks, signs and reference are the choices that the proof rests on. Claims: which gates are
    proved (hit, missed), and inputs that refute the others; inputs with small margins; where all
    gates are proved, the margins by missing bits (from 1), the members' spread, and the gap to
    covered tokens; of an enumeration, the margin of one level and the number of covered inputs.
    """
    form = proof.form
    weights = weights_of(form.network)
    cert: dict[str, Any] = {
        "schema": SCHEMA,
        "weights": checker.fingerprint(weights),
        "k": form.k,
        "c": form.c,
        "owners": base64.b64encode(np.packbits(form.owners).tobytes()).decode(),
        "sign": form.sign.tolist(),
        "reference": {name: value.tolist() for name, value in form.reference.items()},
    }
    verifier = checker.Network(weights, cert)
    rounding = verifier.error

    def weaker(bound: float) -> float:
        return bound - (4.0 * rounding + _ROOM * max(1.0, abs(bound)) if rounding else 0.0)

    # a gate that only rational arithmetic can tell from its boundary is not claimed
    hit = proof.gates.hit.holds & (verifier.hit + verifier.y_error <= 0.0)
    missed = proof.gates.missed.holds & (verifier.missed_low - verifier.y_error >= 0.0)
    structure = None
    if proof.structural and hit.all() and missed.all():
        margins = proof.levels.margin[1:]
        structure = {
            "margins": [weaker(x) if math.isfinite(x) else None for x in margins.tolist()],
            "member_spread": -weaker(-proof.levels.member_spread),
            "covered_gap": -weaker(-proof.levels.covered_gap),
            "sharp": proof.consequences.sharp,
        }
    enumeration = None
    if proof.searched.how == "all inputs":
        low = float(proof.searched.margin_low[-1])
        margin = weaker(low) if math.isfinite(low) else None
        level = proof.searched.levels
        enumeration = {"level": level, "margin": margin, "covered": proof.masks.inputs}
    elif structure is not None and proof.masks.inputs is not None:
        enumeration = {"level": 1, "margin": None, "covered": proof.masks.inputs}
    cert["claims"] = {
        "hit": hit.tolist(),
        "missed": missed.tolist(),
        "gate_counterexamples": _gate_counterexamples(proof.gates),
        "counterexamples": _counterexamples(proof),
        "structure": structure,
        "enumeration": enumeration,
    }
    return cert


def weights_of(network: ReluNetwork) -> dict[str, np.ndarray]:
    """The tensors that there are, by name."""
    found = {name: getattr(network, name) for name in checker.NAMES}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _gate_counterexamples(decided: Gates) -> list[list[Any]]:
    return [
        [int(unit), statement.tokens[unit].tolist(), statement.alpha[unit].tolist()]
        for statement in (decided.hit, decided.missed)
        for unit in np.flatnonzero(~statement.holds)
    ]


def _counterexamples(proof: Proof) -> list[list[Any]]:
    """[level, tokens, alpha, member, other, an upper bound on l_member - l_other], replayed."""
    found = []
    for level, witness in enumerate(proof.searched.witnesses):
        if not math.isfinite(witness.margin):
            continue
        exact = replayed(proof.form.network, witness)
        above = float(exact)
        above = above if Fraction(above) >= exact else math.nextafter(above, math.inf)
        tokens, alpha = list(witness.tokens), list(witness.alpha)
        found.append([level, tokens, alpha, witness.member, witness.other, above])
    return found


def replayed(network: ReluNetwork, witness: Witness) -> Fraction:
    """l_member - l_other of the real network at the witness, exactly."""
    alpha = [Fraction(value) for value in witness.alpha]
    member, other = replay.logits(network, witness.tokens, alpha, [witness.member, witness.other])
    return member - other
