"""Derivations in LaTeX: what is written how, and that a plain TeX installation compiles it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import sympy as sp

from theory.__main__ import main
from theory.derivations import DERIVATIONS
from theory.derivations.derivation import CheckedStep, Derivation
from theory.derivations.latex import display, formula, function_name, symbol_name
from theory.derivations.rendering import DOCUMENT_END, DOCUMENT_START, as_latex
from theory.domain import DomainError
from theory.symbols import N, epsilon, k, m, n


def unchecked(derivation: Derivation, holds: bool = True) -> tuple[CheckedStep, ...]:
    """The steps as if checked, with evidence that has every character TeX minds."""
    return tuple(
        CheckedStep(step, holds, step.check.method, "k = 2_{ } 50% of # & ~ \\ ^ < > | ≤ ε")
        for step in derivation.steps
    )


def test_logarithms_are_ln() -> None:
    assert formula(sp.log(2)) == r"\ln 2"
    assert formula(sp.log(k)) == r"\ln k"
    assert formula(sp.log(1 + k) ** 2) == r"\ln^{2} \left(k + 1\right)"
    for derivation in DERIVATIONS:
        assert r"\log{" not in as_latex(derivation, unchecked(derivation))


def test_non_members_are_N_and_a_sum_begins_with_a_plus() -> None:
    assert formula(n - k) == "N"
    assert formula(N / epsilon) == r"\frac{N}{\varepsilon}"
    assert formula(m - k) == "m - k"
    assert formula(1 - m) == "1 - m"
    assert formula(-k - m) == "- k - m"


def test_words_are_upright() -> None:
    assert symbol_name("FPR") == r"\mathrm{FPR}"
    assert symbol_name("P_fail") == r"P_{\mathrm{fail}}"
    assert symbol_name("psi_1") == r"\psi_{1}"
    assert symbol_name("yprime_0") == "{y'}_{0}"
    assert symbol_name("|t_s|") == "|t_{s}|"
    assert function_name("EnumeratedRate") == r"\operatorname{enumerated~rate}"
    assert function_name("EnumeratedKL") == r"\operatorname{enumerated~KL}"


def test_long_relations_take_two_lines() -> None:
    assert len(display(sp.Eq(m, k, evaluate=False))) == 1
    long = sp.Add(*(sp.Symbol(f"x_{i}") ** i for i in range(2, 40)))
    assert len(display(sp.Eq(long, long + 1, evaluate=False))) == 2


def test_audit_trail_is_optional_and_a_broken_step_always_shows() -> None:
    for derivation in DERIVATIONS[:4]:
        assert "small [" not in as_latex(derivation, unchecked(derivation))
        with_audit = as_latex(derivation, unchecked(derivation), audit=True)
        assert with_audit.count("small [") == len(derivation.steps)
        broken = as_latex(derivation, unchecked(derivation, holds=False))
        assert broken.count("BROKEN") == len(derivation.steps)


def test_no_sentence_leaves_a_word_to_italics() -> None:
    """Between dollar signs, runs of letters are macros or upright."""
    for derivation in DERIVATIONS:
        latex = as_latex(derivation, unchecked(derivation))
        sentences = [line for line in latex.splitlines() if line.startswith(r"\item")]
        for inside in re.findall(r"\$([^$]*)\$", "\n".join(sentences)):
            bare = re.sub(r"\\(?:mathrm|text|binom)\{[^}]*\}|\\[A-Za-z]+", "", inside)
            assert not re.search(r"[A-Za-z]{2,}", bare), inside


@pytest.mark.slow
def test_a_plain_tex_compiles_every_derivation(tmp_path: Path) -> None:
    """texlive-latex-base of Debian, which `make test-slow` installs; no line is too wide."""
    fragments = [
        as_latex(derivation, unchecked(derivation, holds=place % 3 > 0), audit=place % 2 > 0)
        for place, derivation in enumerate(DERIVATIONS)
    ]
    source = tmp_path / "derivations.tex"
    source.write_text("\n".join([DOCUMENT_START, *fragments, DOCUMENT_END]))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert source.with_suffix(".pdf").stat().st_size > 10_000
    assert "Overfull" not in run.stdout


def test_flags_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A document with the audit trail; neither flag without --latex."""
    assert main(["derive", "optimal_hashes", "--latex", "--standalone", "--audit"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(r"\documentclass")
    assert printed.rstrip().endswith(r"\end{document}")
    assert "[symbolic, ok]" in printed
    with pytest.raises(DomainError, match="add --latex"):
        main(["derive", "--standalone"])
