"""A checked derivation as plain text for the terminal, or as LaTeX for a paper."""

from __future__ import annotations

import re
import textwrap

import sympy as sp

from theory.derivations.derivation import CheckedStep, Derivation, equal

_COLUMNS = 96


def as_text(derivation: Derivation, checked: tuple[CheckedStep, ...]) -> str:
    """The derivation as plain text: each step's sentence, claim, method and ok or BROKEN."""
    lines = [f"{derivation.name}: {derivation.title}"]
    for number, result in enumerate(checked, start=1):
        step = result.step
        label = f"{number:>3}. "
        lines += ["", *_wrapped(_plain_text(step.text), label), ""]
        lines += _pretty(step.claim)
        if step.where:
            lines += ["", " " * 5 + "where"]
            for symbol, definition in step.where.items():
                lines += ["", *_pretty(equal(symbol, definition))]
        mark = "ok" if result.holds else "BROKEN"
        lines += ["", *_wrapped(f"[{result.method}, {mark}] {result.detail}", " " * 5)]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, label: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=label, subsequent_indent=" " * len(label))


def _pretty(claim: sp.Basic) -> list[str]:
    shown = sp.pretty(claim, use_unicode=True, wrap_line=False)
    return [(" " * 9 + line).rstrip() for line in shown.splitlines()]


# what the sentences write between dollar signs, in LaTeX
_LATEX_MATH = {
    "λ": r"\lambda ",
    "ε": r"\varepsilon ",
    "β": r"\beta ",
    "α": r"\alpha ",
    "η": r"\eta ",
    "δ": r"\delta ",
    "κ": r"\kappa ",
    "μ": r"\mu ",
    "Λ": r"\Lambda ",
    "ψ": r"\psi ",
    "∞": r"\infty ",
    "∫": r"\int ",
    "≤": r"\le ",
    "≥": r"\ge ",
    "≠": r"\ne ",
    "ln": r"\ln",
    "log2": r"\log_2",
    "det": r"\det",
}
_LATEX_TEXT = str.maketrans(
    {character: "\\" + character for character in "&%#_{}$"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {character: rf"\ensuremath{{{character}}}" for character in "<>|"}
)


def as_latex(derivation: Derivation, checked: tuple[CheckedStep, ...]) -> str:
    """The derivation as a LaTeX fragment without sectioning; needs amsmath and amssymb."""
    lines = [
        f"% {derivation.name}",
        rf"\noindent\textbf{{{_latex_text(derivation.title)}.}}",
        r"\begin{enumerate}",
    ]
    for result in checked:
        step = result.step
        lines += [rf"\item {_latex_text(step.text)}", *_displayed(step.claim)]
        if step.where:
            definitions = (equal(symbol, definition) for symbol, definition in step.where.items())
            lines += ["where", *_displayed(*definitions)]
        mark = "ok" if result.holds else r"\textbf{BROKEN}"
        lines.append(rf"{{\small [{result.method}, {mark}] {_latex_text(result.detail)}}}")
    lines.append(r"\end{enumerate}")
    return "\n".join(lines) + "\n"


def _plain_text(text: str) -> str:
    """A sentence for the terminal, without the marks that only LaTeX needs."""
    text = re.sub(r"_\{(\w+)\}", r"_\1", text.replace("$", ""))
    return text.replace("{", "(").replace("}", ")")


def _latex_text(text: str) -> str:
    """A sentence for LaTeX: formulas between dollar signs in its letters, the rest escaped."""
    pieces = text.split("$")
    pieces[::2] = [piece.translate(_LATEX_TEXT) for piece in pieces[::2]]
    for place in range(1, len(pieces), 2):
        for written, macro in _LATEX_MATH.items():
            pieces[place] = pieces[place].replace(written, macro)
    return "$".join(pieces)


def _displayed(*claims: sp.Basic) -> list[str]:
    return [r"\begin{gather*}", " \\\\\n".join(map(sp.latex, claims)), r"\end{gather*}"]
