"""A checked derivation as plain text for the terminal, or as LaTeX for a paper."""

from __future__ import annotations

import re
import textwrap

import sympy as sp
from sympy.core.relational import Relational

from theory.derivations.derivation import CheckedStep, Derivation, equal
from theory.derivations.latex import display

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
}
_OPERATORS = {"ln", "det", "cos", "sin", "cosh", "tanh", "max", "min"}
_GREEK_WORDS = {"nu"}
_LATEX_TEXT = str.maketrans(
    {character: "\\" + character for character in "&%#_{}$"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {character: rf"\ensuremath{{{character}}}" for character in "<>|"}
    | {character: rf"\ensuremath{{{macro.strip()}}}" for character, macro in _LATEX_MATH.items()}
)
# around the fragments, a document that a plain TeX installation compiles
DOCUMENT_START = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb,graphicx}
\usepackage[margin=2cm]{geometry}
\allowdisplaybreaks
\newsavebox{\fittedbox}
\newcommand{\fitted}[1]{\sbox{\fittedbox}{#1}%
  \ifdim\wd\fittedbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\fittedbox}}%
  \else\usebox{\fittedbox}\fi}
\begin{document}
\noindent Every step was checked when this was printed. $N = n - k$ is the number of non-members.
"""
DOCUMENT_END = r"\end{document}"


def as_latex(derivation: Derivation, checked: tuple[CheckedStep, ...], audit: bool = False) -> str:
    """The derivation as a LaTeX fragment without sectioning; needs amsmath and amssymb.

    audit: each step's method and evidence below it. A step that does not hold says so either way.
    """
    lines = [
        f"% {derivation.name}",
        r"\providecommand{\fitted}[1]{\mbox{#1}}",
        rf"\noindent\textbf{{{_latex_text(derivation.title)}.}}",
        r"\begin{enumerate}",
    ]
    for result in checked:
        step = result.step
        lines += [rf"\item {_latex_text(step.text)}", *_displayed(step.claim)]
        if step.where:
            definitions = (equal(symbol, definition) for symbol, definition in step.where.items())
            lines += ["where", *_displayed(*definitions)]
        if audit or not result.holds:
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
    pieces[1::2] = [latex_math(piece) for piece in pieces[1::2]]
    return "$".join(pieces)


def latex_math(written: str) -> str:
    """A formula of a sentence: binomials, products, operators, Greek letters, words upright."""
    written = re.sub(r"\bC\(([^(),]+), ((?:[^(),]|\([^()]*\))+)\)", r"\\binom{\1}{\2}", written)
    written = re.sub(r"\blog2\b", r"\\log_2 ", written)
    written = re.sub(r"(?<![\\A-Za-z{])([A-Za-z]{2,})(?![A-Za-z}])", _upright, written)
    written = re.sub(r"_\{?([a-z]{2,})\}?", r"_{\\mathrm{\1}}", written).replace("...", r"\dots ")
    for sign, macro in _LATEX_MATH.items():
        written = written.replace(sign, macro)
    return written


def _upright(found: re.Match[str]) -> str:
    word = found[1]
    if word in _OPERATORS or word in _GREEK_WORDS:
        return rf"\{word} "
    if word == "sum":
        return r"\sum"
    return rf"\mathrm{{{word}}}" if word.isupper() else rf"\text{{ {word} }}"


def _displayed(*claims: Relational) -> list[str]:
    rows = [row for claim in claims for row in display(claim)]
    fitted = [rf"\fitted{{$\displaystyle {row}$}}" for row in rows]
    return [r"\begin{gather*}", " \\\\\n".join(fitted), r"\end{gather*}"]
