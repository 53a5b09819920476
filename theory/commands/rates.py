"""`python -m theory rates`: the rates and bounds of one code."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import tyro

from theory import command_line, false_positives, softmax_output
from theory.codes import HashScheme
from theory.command_line import Whole
from theory.commands.hashing import (
    CONSTRUCTION,
    RATE_NOTES,
    RATES,
    Hashing,
    ends,
    kind_of,
    vocabulary,
)
from theory.domain import DomainError, check_code, check_integer, check_task
from theory.fixed_weight import FIXED_WEIGHT
from theory.occupancy import Enclosure, Value


@dataclass(frozen=True)
class Rates:
    """Exact false-positive rate, failure probability and bounds of a random code."""

    k: Whole
    """Active tokens, 1 <= k <= n; of a filter, the items inserted."""
    d: Whole
    """Residual width, bits."""
    n: Whole | None = None
    """Vocabulary size; or ask for one query with --query."""
    query: bool = False
    """One query in place of a vocabulary: the false-positive rate alone."""
    m: Whole | None = None
    """Hash bits per token, at least 1; the best number if left out."""
    density: float | None = None
    (
        "Of independent bits, in place of m: the share of the bits a token owns; the best if "
        "neither is given, m/d if m is."
    )
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = CONSTRUCTION
    fill: Whole | None = None
    """Set bits of an observed filter: adds the rate of that very filter."""
    queries: Whole | None = None
    """Several queries of one filter: adds the probability that all are false positives."""
    beta: float | None = None
    (
        "Logit scale > 0, at most 1e6: adds E TV, E KL(target || output) in nats, and E squared "
        "error (summed); of the first scheme."
    )
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k = vocabulary(self.n, self.query, self.k), self.k
        n, k = check_task(n, k)
        k, d, _ = check_code(k, self.d, 1)
        scheme = self.hashing.chosen()
        self._check_beta(scheme)
        parameter = self._parameter(scheme, n, k, d)
        if self.fill is not None:
            check_integer("fill", self.fill, *scheme.fills(k, d, parameter))
        rate = scheme.enclose(k, d, parameter, Value())
        values = self._rate(scheme, k, d, parameter, rate)
        notes = RATE_NOTES | dict.fromkeys(RATES, rate.kind)
        if not self.query:
            failing = Enclosure(-math.inf, -math.inf, -math.inf)
            if n > k:
                failing = scheme.enclose(k, d, parameter, Value(some=n - k))
            log_failure = scheme.log_failure(n, k, d, parameter)
            if n > k:  # at least the rate, whatever rounding does
                log_failure = max(log_failure, rate.middle)
            values |= self._failure(n, k, rate, failing, log_failure)
            notes |= {"failure_probability": kind_of(failing, log_failure)}
        values["log_false_positive_rate"] = rate.middle
        if not self.query:
            values["log_failure_probability"] = None if n == k else log_failure
        if self.fill is not None:
            values["rate_given_fill"] = math.exp(
                scheme.log_rate_given_fill(d, parameter, self.fill)
            )
        if self.queries is not None:
            together = Value(all_of=check_integer("queries", self.queries, 1, 10**6))
            joint = scheme.enclose(k, d, parameter, together)
            values["joint_rate"] = math.exp(joint.middle)
            values |= ends("joint_", joint)
        if self.beta is not None:
            values |= asdict(softmax_output.expected_divergence(n, k, d, parameter, self.beta))
        sizes = {} if self.query else {"n": n}
        named = {"m": parameter} if scheme.parameter == "hashes" else {"density": parameter}
        sizes |= {"k": k, "d": d} | named | {"beta": self.beta} | self.hashing.sizes()
        if self.m is None and self.density is None and not self.json:
            print(f"the best {'m' if scheme.parameter == 'hashes' else 'density'} is {parameter}")
        command_line.print_record(sizes, values, notes, self.json)
        return command_line.DONE

    def _check_beta(self, scheme: HashScheme[Any]) -> None:
        if self.beta is not None and self.query:
            raise DomainError("beta must be left out with --query: its output needs a vocabulary")
        if self.beta is not None and scheme is not FIXED_WEIGHT:
            raise DomainError(f"beta must be left out with --scheme {scheme.name}")

    def _parameter(self, scheme: HashScheme[Any], n: int, k: int, d: int) -> Any:
        if scheme.parameter != "density":
            if self.density is not None:
                raise DomainError("density must come with --scheme independent")
            if self.m is not None:
                return scheme.check_parameter(d, self.m)
        elif self.density is not None:
            return scheme.check_parameter(d, self.density)
        elif self.m is not None:
            return scheme.check_parameter(d, check_integer("m", self.m, 1, d - 1, "d - 1") / d)
        return scheme.best_parameter(max(n, k + 1), k, d)

    def _rate(
        self, scheme: HashScheme[Any], k: int, d: int, parameter: Any, rate: Enclosure
    ) -> dict[str, float | None]:
        values: dict[str, float | None] = {"false_positive_rate": math.exp(rate.middle)}
        values |= ends("", rate)
        if scheme is FIXED_WEIGHT:
            # where a bound is attained, rounding must not put it on the wrong side
            lower, upper = (
                bound(k, d, parameter)
                for bound in (false_positives.log_lower_bound, false_positives.log_upper_bound)
            )
            values["lower_bound"] = math.exp(min(rate.middle, lower))
            values["upper_bound"] = math.exp(max(rate.middle, upper))
        if scheme.parameter == "hashes":
            values["classic"] = false_positives.classic_of_draws(k, d, parameter)
        if scheme.kind == "simulated":
            from theory.column_weight import with_replacement_rate

            values["ideal_hashing"] = with_replacement_rate(k, d, parameter)
        return values

    def _failure(
        self, n: int, k: int, rate: Enclosure, failing: Enclosure, log_failure: float
    ) -> dict[str, float | None]:
        expected = math.exp(min(700.0, rate.middle + math.log(n - k))) if n > k else 0.0
        values: dict[str, float | None] = {
            "failure_probability": math.exp(log_failure),
            "expected_false_positives": expected,
        }
        return values | ends("failure_", failing)
