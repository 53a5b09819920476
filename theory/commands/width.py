"""`python -m theory width`: the smallest width of a code."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from theory import command_line, width
from theory.command_line import Whole
from theory.commands.hashing import CONSTRUCTION, RATE_NOTES, Hashing, ends, kind_of, vocabulary
from theory.domain import LARGEST_D, DomainError, check_integer, check_task
from theory.fixed_weight import FIXED_WEIGHT
from theory.occupancy import Value


@dataclass(frozen=True)
class Width:
    """Smallest width d for which some m gives P_fail <= epsilon, with the law beside it."""

    k: Whole
    """Active tokens, 1 <= k <= n; of a filter, the items inserted."""
    epsilon: float
    """Failure probability of one input, in (0, 1); with --query, the false-positive rate."""
    n: Whole | None = None
    """Vocabulary size; or ask for one query with --query."""
    query: bool = False
    """One query in place of a vocabulary."""
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = CONSTRUCTION
    multiple_of: str = "1"
    """Only widths that are multiples of this number, such as 8 or 64; or power-of-two."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k = check_task(vocabulary(self.n, self.query, self.k), self.k)
        epsilon, scheme = self.epsilon, self.hashing.chosen()
        scheme.check_epsilon(epsilon)
        if self.multiple_of == POWER_OF_TWO:
            code = scheme.smallest_power_of_two(n, k, epsilon)
        else:
            try:
                multiple = command_line.whole_number(self.multiple_of)
            except ValueError:
                raise DomainError(
                    f"multiple_of must be an integer or {POWER_OF_TWO}; got {self.multiple_of}"
                ) from None
            check_integer("multiple_of", multiple, 1, LARGEST_D)
            code = scheme.smallest_width(n, k, epsilon, multiple)
        name = "false_positive_rate" if self.query else "failure_probability"
        values: dict[str, object] = {
            "width": code.width,
            str(scheme.parameter): code.parameter,
            name: code.failure_probability,
        }
        notes = dict(WIDTH_NOTES)
        if n > k:
            found = scheme.enclose(k, code.width, code.parameter, Value(some=n - k))
            notes[name] = kind_of(found, scheme.log_failure(n, k, code.width, code.parameter))
            values |= ends("", found) if self.query else {}
        if scheme is FIXED_WEIGHT:
            values |= width_laws(n, k, epsilon)
        values["information_bound"] = width.information_width(n, k, epsilon)
        sizes = ({} if self.query else {"n": n}) | {"k": k, "epsilon": epsilon}
        command_line.print_record(sizes | self.hashing.sizes(), values, notes, self.json)
        return command_line.DONE


POWER_OF_TWO = "power-of-two"
WIDTH_NOTES = RATE_NOTES | {
    "law": "asymptotic, k log2((n-k)/epsilon) / ln 2",
    "refined_law": "asymptotic, the law with the exact exponent",
    "sufficient_width": "proved to suffice, with the hashes below",
    "sufficient_hashes": "",
    "information_bound": "lower bound on any width, in bits",
}


def width_laws(n: int, k: int, epsilon: float) -> dict[str, object]:
    """The laws beside the smallest width; none where there is nothing to tell the members from."""
    if n == k:
        return dict.fromkeys(("law", "refined_law", "sufficient_width", "sufficient_hashes"))
    sufficient_width, sufficient_hashes = width.sufficient_code(n, k, epsilon)
    return {
        "law": width.width_law(n, k, epsilon),
        "refined_law": width.refined_width_law(n, k, epsilon),
        "sufficient_width": sufficient_width,
        "sufficient_hashes": sufficient_hashes,
    }
