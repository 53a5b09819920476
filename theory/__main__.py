"""`python -m theory rates | width | capacity | rivals | derive`: exact numbers and derivations."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from theory import command_line, false_positives, softmax_output, width
from theory.domain import DomainError, check_integer, check_sizes

SCHEMA = 1


@dataclass(frozen=True)
class Rates:
    """Exact false-positive rate, failure probability and bounds of a random code."""

    n: int
    """Vocabulary size."""
    k: int
    """Active tokens, 1 <= k <= n."""
    d: int
    """Residual width, bits."""
    m: int
    """Hash bits per token, 1 <= m <= d."""
    beta: float | None = None
    """Logit scale > 0: adds E TV, E KL(target || output) in nats, E squared error (summed)."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k, d, m = self.n, self.k, self.d, self.m
        check_sizes(n, k, d, m)
        rate = false_positives.false_positive_rate(k, d, m)
        log_failure = false_positives.log_failure_probability(n, k, d, m)
        values: dict[str, float | None] = {
            "false_positive_rate": rate,
            # where a bound is attained, rounding must not put it on the wrong side
            "lower_bound": min(rate, false_positives.lower_bound(k, d, m)),
            "upper_bound": max(rate, false_positives.upper_bound(k, d, m)),
            "classic": false_positives.classic(k, d, m),
            "failure_probability": math.exp(log_failure),
            "expected_false_positives": false_positives.expected_false_positives(n, k, d, m),
            "log_false_positive_rate": false_positives.log_false_positive_rate(k, d, m),
            "log_failure_probability": None if n == k else log_failure,
        }
        if self.beta is not None:
            values |= asdict(softmax_output.expected_divergence(n, k, d, m, self.beta))
        if self.json:
            sizes = {"n": n, "k": k, "d": d, "m": m, "beta": self.beta}
            command_line.print_json({"schema": SCHEMA, **sizes, **values})
        else:
            kinds = {
                "lower_bound": "lower bound on the false-positive rate",
                "upper_bound": "upper bound on the false-positive rate",
                "classic": "textbook approximation of the false-positive rate",
                "log_false_positive_rate": "exact, nats",
                "log_failure_probability": "exact, nats",
                "kl": "exact, KL(target || output), nats",
                "squared_error": "exact, summed over the vocabulary",
            }
            print_table(values, kinds)
        return command_line.DONE


@dataclass(frozen=True)
class Width:
    """Smallest width d for which some m gives P_fail <= epsilon, with the law beside it."""

    n: int
    """Vocabulary size."""
    k: int
    """Active tokens, 1 <= k <= n."""
    epsilon: float
    """Failure probability of one input, in (0, 1)."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k, epsilon = self.n, self.k, self.epsilon
        code = width.smallest_width(n, k, epsilon)
        values: dict[str, float | None] = asdict(code)
        if n == k:  # nothing to tell the members from
            laws = ("law", "refined_law", "sufficient_width", "sufficient_hashes")
            values |= dict.fromkeys(laws, None)
        else:
            sufficient_width, sufficient_hashes = width.sufficient_code(n, k, epsilon)
            values |= {
                "law": width.width_law(n, k, epsilon),
                "refined_law": width.refined_width_law(n, k, epsilon),
                "sufficient_width": sufficient_width,
                "sufficient_hashes": sufficient_hashes,
            }
        values["information_bound"] = width.information_width(n, k, epsilon)
        if self.json:
            sizes = {"n": n, "k": k, "epsilon": epsilon}
            command_line.print_json({"schema": SCHEMA, **sizes, **values})
        else:
            kinds = {
                "law": "asymptotic, k log2((n-k)/epsilon) / ln 2",
                "refined_law": "asymptotic, the law with the exact exponent",
                "sufficient_width": "proved to suffice, with the hashes below",
                "sufficient_hashes": "",
                "information_bound": "lower bound on any width, in bits",
            }
            print_table(values, kinds)
        return command_line.DONE


@dataclass(frozen=True)
class Capacity:
    """Largest k that width d carries with P_fail <= epsilon: Bloom, its rivals, any code."""

    n: int
    """Vocabulary size."""
    d: int
    """Residual width."""
    epsilon: float
    """Failure probability of one input, in (0, 1)."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        from theory import capacity

        n, d, epsilon = check_integer("n", self.n, 1), self.d, self.epsilon
        found = {
            "bloom": capacity.bloom(n, d, epsilon),
            "pseudo_inverse": capacity.pseudo_inverse_readout(n, d, epsilon),
            "thresholded_jl": capacity.thresholded_jl(n, d, epsilon),
            "limit": capacity.linear_readout_limit(n, d),
            "information_limit": capacity.information_limit(n, d, epsilon),
        }
        if self.json:
            sizes = {"n": n, "d": d, "epsilon": epsilon}
            values = {name: asdict(value) for name, value in found.items()}
            command_line.print_json({"schema": SCHEMA, **sizes, **values})
        else:
            kinds = {
                "bloom": "exact, one ReLU layer of hidden width d",
                "pseudo_inverse": "exact; inverts a k x k matrix of every input",
                "thresholded_jl": "proved to suffice, hidden width n",
                "limit": "upper bound where nothing may fail, any linear readout",
                "information_limit": "upper bound, any residual of d bits",
            }
            for name, value in found.items():
                m = "" if value.m is None else f"m = {value.m}"
                failure = value.failure_probability
                shown = "" if failure is None else f"P_fail = {failure:.3g}"
                print(f"{name:<18} k = {value.k:<7}{m:<9}{shown:<20}{kinds[name]}")
        return command_line.DONE


@dataclass(frozen=True)
class Rivals:
    """Width that the Bloom filter, its rivals, and any code at all need; a Markdown table."""

    n: int
    """Vocabulary size, at least 3k."""
    k: int
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


@dataclass(frozen=True)
class Derive:
    """The derivations, each step with its check; exit 1 when a step does not hold."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """The derivations wanted; all of them if none is named."""
    latex: bool = False
    """Print them as LaTeX, for a paper."""

    def run(self) -> int:
        from theory.derivations import DERIVATIONS
        from theory.derivations.derivation import check
        from theory.derivations.rendering import as_latex, as_text

        known = {derivation.name: derivation for derivation in DERIVATIONS}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise DomainError(f"names must be among {', '.join(known)}; got {', '.join(unknown)}")
        every_step_holds = True
        for derivation in [known[name] for name in self.names] or DERIVATIONS:
            checked = check(derivation)
            every_step_holds &= all(step.holds for step in checked)
            print((as_latex if self.latex else as_text)(derivation, checked), flush=True)
        return command_line.DONE if every_step_holds else command_line.CHECK_FAILED


def print_table(values: dict[str, float | None], kinds: dict[str, str]) -> None:
    """One line per quantity: name, value, and what kind of statement it is."""
    for name, value in values.items():
        shown = "-" if value is None else f"{value:.10g}"
        print(f"{name:<26}{shown:>18}   {kinds.get(name, 'exact')}")


Command = (
    Annotated[Rates, tyro.conf.subcommand("rates")]
    | Annotated[Width, tyro.conf.subcommand("width")]
    | Annotated[Capacity, tyro.conf.subcommand("capacity")]
    | Annotated[Rivals, tyro.conf.subcommand("rivals")]
    | Annotated[Derive, tyro.conf.subcommand("derive")]
)


def main() -> int:
    """Parse the command line and run the chosen command."""
    command = tyro.cli(Command, prog="python -m theory", description=__doc__)
    return command.run()


if __name__ == "__main__":
    command_line.run(main)
