"""`python -m theory rates | width | capacity | rivals | derive`: exact numbers and derivations."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import tyro

from theory import command_line, false_positives, softmax_output, width
from theory.codes import HashScheme
from theory.command_line import SCHEMA, Whole
from theory.domain import DomainError, check_code, check_integer, check_task
from theory.fixed_weight import FIXED_WEIGHT
from theory.occupancy import Enclosure, Value

SchemeName = Literal[
    "fixed-weight", "with-replacement", "independent", "partitioned", "blocked", "double-hashing"
]
Inside = Literal["fixed-weight", "with-replacement"]


@dataclass(frozen=True)
class Hashing:
    """How the tokens' bits are chosen."""

    scheme: SchemeName = "fixed-weight"
    """m different bits (the construction), m draws with replacement (ordinary filters),
    independent bits, one bit in each of m partitions, m bits in one block, or enhanced double
    hashing (simulated, d <= 2048)."""
    block: Whole = 512
    """Bits in a block of the blocked scheme; the width is a multiple of it."""
    inside: Inside = "fixed-weight"
    """How the blocked scheme hashes inside its blocks."""

    def chosen(self) -> HashScheme[Any]:
        if self.scheme == FIXED_WEIGHT.name:
            return FIXED_WEIGHT
        from theory.schemes import scheme_named

        return scheme_named(self.scheme, self.block, self.inside == "with-replacement")

    def sizes(self) -> dict[str, object]:
        """What the record says of it: nothing for the construction's own scheme."""
        if self.scheme == FIXED_WEIGHT.name:
            return {}
        if self.scheme != "blocked":
            return {"scheme": self.scheme}
        return {"scheme": self.scheme, "block": self.block, "inside": self.inside}


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
    """Of independent bits, in place of m: the share of the bits a token owns; the best if neither
    is given, m/d if m is."""
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = Hashing()
    fill: Whole | None = None
    """Set bits of an observed filter: adds the rate of that very filter."""
    queries: Whole | None = None
    """Several queries of one filter: adds the probability that all are false positives."""
    beta: float | None = None
    """Logit scale > 0, at most 1e6: adds E TV, E KL(target || output) in nats, and E squared error
    (summed); of the first scheme."""
    json: bool = False
    """One JSON object instead of a table."""

    def run(self) -> int:
        n, k = vocabulary(self.n, self.query, self.k), self.k
        n, k = check_task(n, k)
        k, d, _ = check_code(k, self.d, 1)
        scheme = self.hashing.chosen()
        parameter = self._parameter(scheme, n, k, d)
        rate = scheme.enclose(k, d, parameter, Value())
        values = self._rate(scheme, k, d, parameter, rate)
        notes = RATE_NOTES | dict.fromkeys(RATES, rate.kind)
        if not self.query:
            failing = Enclosure(-math.inf, -math.inf, -math.inf)
            if n > k:
                failing = scheme.enclose(k, d, parameter, Value(some=n - k))
            log_failure = scheme.log_failure(n, k, d, parameter)
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
            if scheme is not FIXED_WEIGHT:
                raise DomainError(f"beta must be left out with --scheme {scheme.name}")
            values |= asdict(softmax_output.expected_divergence(n, k, d, parameter, self.beta))
        sizes = {} if self.query else {"n": n}
        named = {"m": parameter} if scheme.parameter == "hashes" else {"density": parameter}
        sizes |= {"k": k, "d": d} | named | {"beta": self.beta} | self.hashing.sizes()
        if self.m is None and self.density is None and not self.json:
            print(f"the best {'m' if scheme.parameter == 'hashes' else 'density'} is {parameter}")
        command_line.print_record(sizes, values, notes, self.json)
        return command_line.DONE

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


RATES = ("false_positive_rate", "expected_false_positives")


def kind_of(found: Enclosure, log_shown: float) -> str:
    """What a probability is that is shown of an enclosure, for people."""
    at_end = found.computed is None and log_shown == found.upper
    return "its proved upper end" if at_end else found.kind


RATE_NOTES = {
    "lower": "proved lower end of the false-positive rate",
    "upper": "proved upper end of the false-positive rate",
    "relative_width": "(upper - lower) / lower",
    "failure_lower": "proved lower end of the failure probability",
    "failure_upper": "proved upper end of the failure probability",
    "failure_relative_width": "(upper - lower) / lower",
    "joint_lower": "proved lower end of the joint rate",
    "joint_upper": "proved upper end of the joint rate",
    "joint_relative_width": "(upper - lower) / lower",
    "lower_bound": "lower bound on the false-positive rate",
    "upper_bound": "upper bound on the false-positive rate",
    "classic": "textbook approximation of the false-positive rate",
    "ideal_hashing": "the rate of as many independent hashes, exact",
    "log_false_positive_rate": "nats",
    "log_failure_probability": "nats",
    "rate_given_fill": "of a filter with that many bits set",
    "joint_rate": "that all the queries are false positives",
    "kl": "exact, KL(target || output), nats",
    "squared_error": "exact, summed over the vocabulary",
}


def ends(prefix: str, found: Enclosure) -> dict[str, float | None]:
    """Both proved ends and their relative width, of a value that was not simply computed."""
    if found.computed is not None:
        return {}
    relative = found.relative_width
    return {
        f"{prefix}lower": math.exp(found.lower),
        f"{prefix}upper": math.exp(found.upper),
        f"{prefix}relative_width": relative if math.isfinite(relative) else None,
    }


def vocabulary(n: int | None, query: bool, k: int) -> int:
    """n, or k + 1 for one query."""
    if (n is None) != query:
        raise DomainError("n must be given with --n, or one query asked for with --query, not both")
    return check_integer("k", k, 1) + 1 if n is None else n


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
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = Hashing()
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
    hashing: tyro.conf.OmitArgPrefixes[Hashing] = Hashing()
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


@dataclass(frozen=True)
class Derive:
    """The derivations, each step with its check; exit 1 when a step does not hold."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """The derivations wanted; all of them if none is named."""
    latex: bool = False
    """Print them as LaTeX, for a paper: a fragment that needs amsmath and amssymb."""
    standalone: bool = False
    """With --latex: a document that any TeX compiles."""
    audit: bool = False
    """With --latex: each step's method and evidence, too."""
    list: bool = False
    """Only their names and titles."""
    json: bool = False
    """One JSON object: every step with its verdict and evidence."""

    def run(self) -> int:
        from theory.derivations import DERIVATIONS
        from theory.derivations.derivation import check
        from theory.derivations.rendering import DOCUMENT_END, DOCUMENT_START, as_latex, as_text

        if (self.standalone or self.audit) and not self.latex:
            raise DomainError("standalone and audit are of LaTeX: add --latex")

        known = {derivation.name: derivation for derivation in DERIVATIONS}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise DomainError(f"names must be among {', '.join(known)}; got {', '.join(unknown)}")
        wanted = [known[name] for name in self.names] or DERIVATIONS
        if self.list:
            titles = {derivation.name: derivation.title for derivation in wanted}
            command_line.print_record({}, titles, dict.fromkeys(titles, ""), self.json)
            return command_line.DONE
        if self.standalone and not self.json:
            print(DOCUMENT_START)
        found = []
        for derivation in wanted:
            checked = check(derivation)
            found += [
                {
                    "derivation": derivation.name,
                    "text": step.step.text,
                    "holds": step.holds,
                    "method": step.method,
                    "detail": step.detail,
                }
                for step in checked
            ]
            if not self.json:
                of_latex = as_latex(derivation, checked, self.audit) if self.latex else ""
                print(of_latex or as_text(derivation, checked), flush=True)
        if self.standalone and not self.json:
            print(DOCUMENT_END)
        if self.json:
            command_line.print_json({"schema": SCHEMA, "steps": found})
        every_step_holds = all(step["holds"] for step in found)
        return command_line.DONE if every_step_holds else command_line.CHECK_FAILED


Command = (
    Annotated[Rates, tyro.conf.subcommand("rates")]
    | Annotated[Width, tyro.conf.subcommand("width")]
    | Annotated[Capacity, tyro.conf.subcommand("capacity")]
    | Annotated[Rivals, tyro.conf.subcommand("rivals")]
    | Annotated[Derive, tyro.conf.subcommand("derive")]
)
OFFERED = {"rates": Rates, "width": Width, "capacity": Capacity, "rivals": Rivals, "derive": Derive}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the chosen command; without one, list what there is."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        print(f"{__doc__}\n")
        for name, offered in OFFERED.items():
            print(f"  {name:<10}{(offered.__doc__ or '').splitlines()[0]}")
        print("\npython -m theory COMMAND --help says what each takes.")
        return command_line.DONE
    command: Any = tyro.cli(Command, prog="python -m theory", description=__doc__, args=given)
    code: int = command.run()
    return code


if __name__ == "__main__":
    command_line.run(main)
