"""A formula: one SymPy expression with its kind, domain and source, and its numeric evaluator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import sympy as sp

Kind = Literal["exact", "upper bound", "lower bound", "asymptotic"]


@dataclass(frozen=True)
class Formula:
    """One formula, written once.

    name: the quantity's name. expression: SymPy, in the letters of `theory.symbols`. kind: how it
    relates to the quantity. domain: where it holds. source: where it comes from. evaluate: the
    numerically stable evaluator, taking the expression's free symbols as keyword arguments
    (see `arguments`). of: for a bound, the formula it bounds.
    """

    name: str
    expression: sp.Expr
    kind: Kind
    domain: str
    source: str
    evaluate: Callable[..., Any]
    of: Formula | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the free symbols, sorted."""
        return tuple(sorted(symbol.name for symbol in self.expression.free_symbols))

    def exact(self, **values: Any) -> sp.Expr:
        """The expression at the given values (ints and Rationals), evaluated without rounding.

        Raises ValueError when a free symbol is missing or a name is unknown.
        """
        if set(values) != set(self.arguments):
            raise ValueError(
                f"{self.name} takes {', '.join(self.arguments)}; got {', '.join(values)}"
            )
        table = {symbol: values[symbol.name] for symbol in self.expression.free_symbols}
        return written_out(self.expression.subs(table, simultaneous=True))


def written_out(expression: sp.Basic) -> sp.Basic:
    """Finite sums and products written out from the outside in; nothing is summed symbolically."""
    if isinstance(expression, sp.Sum | sp.Product):
        body, (index, first, last) = expression.args
        terms = [written_out(body.subs(index, value)) for value in range(int(first), int(last) + 1)]
        return (sp.Add if isinstance(expression, sp.Sum) else sp.Mul)(*terms)
    if expression.args:
        return expression.func(*map(written_out, expression.args))
    return expression
