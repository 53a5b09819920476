"""SymPy's LaTeX as a mathematician would write it: ln, N for n - k, words upright, + before -."""

from __future__ import annotations

import re

import sympy as sp
from sympy.core.relational import Relational
from sympy.printing.latex import LatexPrinter

from theory.symbols import N

# functions of the catalogue that are known by a letter or a sign
_NAMES = {"binomial", "factorial", "exp", "log"}
_SMALL = (sp.Symbol, sp.Integer)
_GREEK = {
    *("alpha", "beta", "gamma", "delta", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu"),
    *("xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "ell"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
}
# a display longer than this, in characters of LaTeX, goes on a second line at its relation sign,
# unless one side is short
_LONG, _SHORT = 160, 20


class _Printer(LatexPrinter):
    def __init__(self) -> None:
        super().__init__({"ln_notation": True})

    def _print_Add(self, expr: sp.Add, order: str | None = None) -> str:
        if expr == N:
            return "N"
        if expr == -N:
            return "-N"
        terms = self._as_ordered_terms(expr, order=order)
        # a sum that can begin with a plus does
        terms = sorted(terms, key=lambda term: term.could_extract_minus_sign())
        written = []
        for place, term in enumerate(terms):
            negative = place > 0 and term.could_extract_minus_sign()
            piece = self._print(-term if negative else term)
            if self._needs_add_brackets(-term if negative else term):
                piece = rf"\left({piece}\right)"
            written.append((" - " if negative else " + ") + piece if place else piece)
        return "".join(written)

    def _print_log(self, expr: sp.log, exp: str | None = None) -> str:
        (inside,) = expr.args
        shown = self._print(inside)
        if not isinstance(inside, _SMALL):
            shown = rf"\left({shown}\right)"
        power = f"^{{{exp}}}" if exp is not None else ""
        return rf"\ln{power} {shown}"

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        return symbol_name(expr.name)

    def _print_Function(self, expr: sp.Function, exp: str | None = None) -> str:
        name = type(expr).__name__
        if name in _NAMES or hasattr(sp, name):
            return str(super()._print_Function(expr, exp))
        arguments = ", ".join(map(self._print, expr.args))
        power = f"^{{{exp}}}" if exp is not None else ""
        return rf"{function_name(name)}{power}\left({arguments}\right)"


def symbol_name(name: str) -> str:
    """A symbol's name: a letter in italics, a Greek one as such, a word upright, its indices."""
    if name.startswith("|") and name.endswith("|"):
        return f"|{symbol_name(name[1:-1])}|"
    base, *indices = name.split("_")
    if base.endswith("prime"):  # in braces, for a power to follow
        shown = "{" + _word(base.removesuffix("prime")) + "'}"
    else:
        shown = _word(base)
    if indices:
        shown += "_{" + ",".join(map(_word, indices)) + "}"
    return shown


def _word(name: str) -> str:
    if name == "epsilon":
        return r"\varepsilon"
    if name in _GREEK:
        return "\\" + name
    return name if len(name) == 1 or name.isdigit() else rf"\mathrm{{{name}}}"


def function_name(name: str) -> str:
    """A function's name: EnumeratedRate as two words, upright; a letter or a Greek one as such."""
    if len(name) == 1 or "_" in name or name in _GREEK:
        return symbol_name(name)
    words = re.findall(r"[A-Z]{2,}|[A-Z]?[a-z]+", name)
    return (
        rf"\operatorname{{{'~'.join(word if word.isupper() else word.lower() for word in words)}}}"
    )


def formula(expression: sp.Basic) -> str:
    """The expression in LaTeX."""
    return str(_Printer().doprint(expression))


def display(relation: Relational) -> list[str]:
    """A relation as one line of a display, or as two where it is long."""
    sign = {sp.Eq: "=", sp.Le: r"\leq", sp.Gt: ">"}[type(relation)]
    left, right = map(formula, relation.args)
    if len(left) + len(right) <= _LONG or min(len(left), len(right)) <= _SHORT:
        return [f"{left} {sign} {right}"]
    return [left, rf"{{}} {sign} {right}"]
