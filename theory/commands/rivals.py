"""`python -m theory capacity | rivals`: the Bloom filter beside other codes and limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import tyro

from theory import command_line
from theory.command_line import SCHEMA, Whole
from theory.commands.hashing import CONSTRUCTION, Hashing, vocabulary
from theory.domain import check_integer
from theory.fixed_weight import FIXED_WEIGHT


@dataclass(frozen=True)
class Capacity:
    """Largest k that width d carries with P_fail <= epsilon: Bloom, its rivals, any code.

    Of a scheme other than the first, or with --query, that scheme alone.
    """

    d: Whole
    """Residual width."""
    epsilon: float
    """Failure probability of one input, in (0, 1); with --query, the false-positive rate."""
    n: Whole | None = None
    """Vocabulary size; or ask for one query with --query."""
    query: bool = False
    """One query in place of a vocabulary."""
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = CONSTRUCTION
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        from theory import capacity

        d, epsilon, scheme = self.d, self.epsilon, self.hashing.chosen()
        sizes = {"d": d, "epsilon": epsilon} | self.hashing.sizes()
        if self.query:
            vocabulary(self.n, self.query, 1)
            own = {scheme.name.replace("-", "_"): asdict(scheme.capacity_for_queries(d, epsilon))}
            command_line.print_record(sizes, own, {}, self.json)
            return command_line.DONE
        n = check_integer("n", vocabulary(self.n, self.query, 1), 1)
        if scheme is FIXED_WEIGHT:
            found = {
                "bloom": capacity.bloom(n, d, epsilon),
                "pseudo_inverse": capacity.pseudo_inverse_readout(n, d, epsilon),
                "thresholded_jl": capacity.thresholded_jl(n, d, epsilon),
                "limit": capacity.linear_readout_limit(n, d),
            }
        else:
            found = {scheme.name.replace("-", "_"): scheme.capacity(n, d, epsilon)}
        found["information_limit"] = capacity.information_limit(n, d, epsilon)
        values = {name: asdict(value) for name, value in found.items()}
        command_line.print_record({"n": n} | sizes, values, CAPACITY_NOTES, self.json)
        return command_line.DONE


CAPACITY_NOTES = {
    "bloom": "exact, one ReLU layer of hidden width d",
    "pseudo_inverse": "exact; inverts a k x k matrix of every input",
    "thresholded_jl": "proved to suffice, hidden width n",
    "limit": "upper bound where nothing may fail, any linear readout",
    "information_limit": "upper bound, any residual of d bits",
}


@dataclass(frozen=True)
class Rivals:
    """Width that the Bloom filter, its rivals, and any code at all need; a Markdown table."""

    n: Whole
    """Vocabulary size, at least 3k."""
    k: Whole
    """Active tokens, at least 1."""
    epsilon: float
    """Error to stay within, in (0, 1/2); the table says which error of each."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        from theory import comparison

        n, k, epsilon = self.n, self.k, self.epsilon
        if self.json:
            found = [asdict(row) for row in comparison.compare(n, k, epsilon)]
            sizes = {"n": n, "k": k, "epsilon": epsilon}
            command_line.print_json({"schema": SCHEMA, **sizes, "rivals": found})
        else:
            print(comparison.as_markdown(n, k, epsilon), end="")
        return command_line.DONE
