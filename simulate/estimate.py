"""`python -m simulate.estimate`: one Monte Carlo estimate beside its exact value."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from theory import command_line, false_positives
from theory.domain import DomainError, check_integer, check_sizes

if TYPE_CHECKING:
    import numpy as np

    from simulate.jobs.intervals import Estimate as Interval

Method = Literal["direct", "conditional", "planted", "quenched"]

SCHEMA = 1
CONFIDENCE = 0.95
SETS_PER_FAMILY = 10_000
FEWEST_FAMILIES = 32
MOST_FAMILIES = 256
# beyond this relative variance between real unions the failure probability given the union rests
# on unions too rare to be drawn
LARGEST_VARIANCE = 10.0


@dataclass(frozen=True)
class Estimate:
    """Estimate P_fail, the probability that a random input has a false positive.

    The method quenched estimates FPR instead, the false-positive rate of one fixed hash family.
    """

    n: int
    """Vocabulary size."""
    k: int
    """Active tokens, 1 <= k <= n."""
    d: int
    """Residual width."""
    m: int
    """Hash bits per token, 1 <= m <= d."""
    method: Method
    (
        "direct: count failures over hash families, without any theory. conditional: draw random "
        "unions, and average the exact probability of failure given the union. Where that "
        "probability varies too much between unions, as at k = 2 and 3 or far from the best m, "
        "unions are drawn by importance sampling. planted: give the float network inputs that "
        "have a false positive on purpose, see it fail, and weight each failure by how likely "
        "that input was. quenched: count the false positives of one hash family, and print that "
        "family's own exact rate beside them. Its cost grows as n m 2^m, from seconds for n = "
        "4096 at m = 16 to half an hour at m = 24, the largest."
    )
    sets: int
    """Inputs in all, at least 2."""
    families: int | None = None
    """Independent hash families of the direct method, at least 2; the sets are split evenly."""
    seed: int = 0
    """Seed of the random stream, at least 0."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k, d, m = check_sizes(self.n, self.k, self.d, self.m)
        check_integer("sets", self.sets, 2)
        check_integer("seed", self.seed, 0)
        families = self.families
        if families is not None and self.method != "direct":
            raise DomainError(f"families must come with method direct; got method {self.method}")
        if families is None:
            enough = min(FEWEST_FAMILIES, self.sets)
            families = min(max(self.sets // SETS_PER_FAMILY, enough), MOST_FAMILIES)
        check_integer("families", families, 2, self.sets, "sets")

        import numpy as np

        rng = np.random.default_rng(self.seed)
        if self.method == "direct":
            found = _direct(rng, n, k, d, m, families, self.sets // families)
        elif self.method == "quenched":
            found = _quenched(rng, n, k, d, m, self.sets)
        else:
            found = _weighted(rng, n, k, d, m, self.sets, planted=self.method == "planted")
        record = {
            "schema": SCHEMA,
            **{name: value for name, value in asdict(self).items() if name != "json"},
            "estimate": found.measured.value,
            "standard_error": found.measured.standard_error,
            "interval": list(found.measured.interval),
            "confidence": CONFIDENCE,
            "quantity": found.quantity,
            "exact": found.exact,
            "sets": found.sets,
            "families": found.families,
            "seconds": found.seconds,
            "setup_seconds": found.setup_seconds,
        }
        if self.json:
            command_line.print_json(record)
        else:
            low, high = found.measured.interval
            print(f"estimate  {found.measured.value:.6g}  [{low:.6g}, {high:.6g}] (95 %)")
            print(f"exact     {found.exact:.6g}")
            print(f"{found.sets} sets in {found.seconds:.3g} s", file=sys.stderr)
        return command_line.DONE


@dataclass(frozen=True)
class _Found:
    """A measured value beside the exact one, what it took, and the seconds for that and before."""

    measured: Interval
    exact: float
    sets: int
    families: int | None
    seconds: float
    setup_seconds: float
    quantity: str = "P_fail"


def _direct(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int, sets: int
) -> _Found:
    """Count family by family, timing the hashes apart from drawing and querying the sets."""
    import numpy as np

    from simulate import estimators
    from simulate.jobs import intervals
    from simulate.kernels import PackedHashes

    failures = np.empty(families, dtype=np.int64)
    seconds, setup_seconds = 0.0, _warm_up()
    for family in range(families):
        started = time.perf_counter()
        hashes = PackedHashes.random(rng, n, d, m)
        ready = time.perf_counter()
        failures[family] = np.count_nonzero(estimators.counts_in_family(rng, hashes, k, sets))
        setup_seconds += ready - started
        seconds += time.perf_counter() - ready
    measured = intervals.clustered_proportion(failures, sets, CONFIDENCE)
    exact = false_positives.failure_probability(n, k, d, m)
    return _Found(measured, exact, families * sets, families, seconds, setup_seconds)


def _quenched(rng: np.random.Generator, n: int, k: int, d: int, m: int, sets: int) -> _Found:
    """Count the false positives of one family; its exact rate is part of the set-up."""
    from simulate import estimators
    from simulate.jobs import intervals
    from simulate.kernels import PackedHashes
    from simulate.sampling import random_hashes
    from theory import quenched

    setup_seconds = _warm_up()
    started = time.perf_counter()
    hashes = random_hashes(rng, n, d, m)
    exact = float(quenched.false_positive_rate(hashes, k))
    packed = PackedHashes.of(hashes)
    ready = time.perf_counter()
    counts = estimators.counts_in_family(rng, packed, k, sets)
    seconds = time.perf_counter() - ready
    # the false positives of one input come together
    measured = intervals.clustered_proportion(counts, n - k, CONFIDENCE)
    setup_seconds += ready - started
    return _Found(measured, exact, sets, 1, seconds, setup_seconds, quantity="FPR")


def _weighted(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, sets: int, planted: bool
) -> _Found:
    """Average the weights of rare failures, planted or conditional on the union."""
    from simulate import estimators
    from simulate.jobs import intervals

    weigh: Callable[..., np.ndarray]
    if planted:
        weigh = estimators.planted_failure
    elif false_positives.relative_variance_given_union(n, k, d, m) > LARGEST_VARIANCE:
        weigh = estimators.tilted_failure
    else:
        weigh = estimators.conditional_failure
    started = time.perf_counter()
    exact = false_positives.failure_probability(n, k, d, m)  # fills the tables of the theory
    warm = time.perf_counter()
    weights = weigh(rng, n, k, d, m, sets)
    seconds = time.perf_counter() - warm
    return _Found(intervals.mean(weights, CONFIDENCE), exact, sets, None, seconds, warm - started)


def _warm_up() -> float:
    """Seconds to load, at first use to compile, the kernels."""
    import numpy as np

    from simulate import estimators
    from simulate.kernels import PackedHashes

    started = time.perf_counter()
    rng = np.random.default_rng(0)
    estimators.counts_in_family(rng, PackedHashes.random(rng, 64, 8, 1), 1, 1000)
    return time.perf_counter() - started


def main(args: Sequence[str] | None = None) -> int:
    """Parse the command line, or `args`, and run the estimate."""
    return command_line.parsed(Estimate, "simulate.estimate", __doc__, args).run()


if __name__ == "__main__":
    command_line.run(main)
