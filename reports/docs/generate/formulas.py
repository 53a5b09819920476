"""The formula catalogue and the derivations, typeset from the SymPy expressions themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from types import ModuleType

import sympy as sp

from reports.docs.generate import Pages, modules, table, toctree
from reports.docs.generate.markdown import plain
from theory.derivations import DERIVATIONS
from theory.derivations.derivation import Derivation, Step, equal
from theory.derivations.latex import display, formula
from theory.derivations.rendering import latex_math
from theory.formula import Formula

PARTS: tuple[ModuleType, ...] = tuple(
    part
    for name in modules.names()
    if name.startswith("theory.formulas.")
    and hasattr(part := importlib.import_module(name), "FORMULAS")
)


def formulas_of(part: ModuleType) -> tuple[Formula, ...]:
    """All formulas of a module: those of the catalogue, and others that it states."""
    return (*part.FORMULAS, *getattr(part, "OTHERS", ()))


def anchor(found: Formula) -> str:
    """The name of a formula's section."""
    return re.sub(r"[^a-z0-9]+", "-", found.name.lower()).strip("-")


def derived_in() -> dict[int, list[str]]:
    """Names of the derivations that speak of a formula, by the formula's id.

    A derivation speaks of the formulas that its module names.
    """
    found: dict[int, list[str]] = defaultdict(list)
    for derivation, module in _modules_of_derivations():
        for each in _formulas_named(module):
            if derivation.name not in found[id(each)]:
                found[id(each)].append(derivation.name)
    return found


def _modules_of_derivations() -> Iterator[tuple[Derivation, ModuleType]]:
    for derivation in DERIVATIONS:
        yield derivation, importlib.import_module(f"theory.derivations.{derivation.name}")


def _formulas_named(module: ModuleType) -> Iterator[Formula]:
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        found = None
        if isinstance(node, ast.Name):
            found = getattr(module, node.id, None)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = getattr(getattr(module, node.value.id, None), node.attr, None)
        if isinstance(found, Formula):
            yield found


def evaluator(found: Formula) -> str:
    """The Python function that evaluates a formula, linked to its page; "" where it has no name."""
    name, module = found.evaluate.__name__, found.evaluate.__module__
    if name == "<lambda>" or module not in modules.documented():
        return ""
    return f"{{py:func}}`{module}.{name}`"


def section(found: Formula, derivations: list[str]) -> str:
    """A formula: what it is, the expression, kind, domain, source, derivation and evaluator."""
    of = f", of [{found.of.name}](#{anchor(found.of)})" if found.of else ""
    derived = ", ".join(f"[{name}](derivations/{name}.md)" for name in derivations)
    rows = [
        ["kind", found.kind + of],
        ["holds for", found.domain],
        ["source", found.source],
        ["derivation", derived],
        ["evaluated by", evaluator(found)],
    ]
    lines = [f"- **{name}**: {plain(value)}" for name, value in rows if value]
    return "\n".join(
        [
            f"({anchor(found)})=",
            f"## {plain(found.name[:1].upper() + found.name[1:])}",
            "",
            _displayed(formula(found.expression)),
            "",
            *lines,
            "",
        ]
    )


def _displayed(*rows: str) -> str:
    return "\n".join(["```{math}", r" \\ ".join(rows), "```"])


def catalogue_page(module: ModuleType, derivations: dict[int, list[str]]) -> str:
    """The formulas of one module."""
    title = modules.summary(module).rstrip(".")
    sections = [section(each, derivations[id(each)]) for each in formulas_of(module)]
    return f"# {plain(title)}\n\n" + "\n".join(sections)


def derivation_page(derivation: Derivation) -> str:
    """A derivation, step by step. The steps are checked by the tests and by `theory derive`."""
    command = f"python -m theory derive {derivation.name}"
    parts = [
        f"# {plain(derivation.title)}\n\nEvery step is checked when the suite is tested, and when "
        f"you run `{command}`.\n"
    ]
    for number, step in enumerate(derivation.steps, start=1):
        parts.append(
            f"**Step {number}.** {_sentence(step)}\n\n{_displayed(*display(step.claim))}\n"
        )
        if step.where:
            rows = [row for name, value in step.where.items() for row in _definition(name, value)]
            parts.append(f"where\n\n{_displayed(*rows)}\n")
    return "\n".join(parts)


def _definition(name: sp.Symbol, value: sp.Expr) -> list[str]:
    return display(equal(name, value))


def _sentence(step: Step) -> str:
    """A step's sentence, its formulas in LaTeX between dollar signs."""
    pieces = step.text.split("$")
    pieces[::2] = [plain(piece) for piece in pieces[::2]]
    pieces[1::2] = [latex_math(piece) for piece in pieces[1::2]]
    return "$".join(pieces)


def pages() -> Pages:
    """The catalogue's index and pages, and the derivations'."""
    derivations = derived_in()
    rows = []
    texts: Pages = {"symbols.md": symbols_table()}
    for module in PARTS:
        name = module.__name__.rsplit(".", 1)[-1]
        texts[f"formulas/{name}.md"] = catalogue_page(module, derivations)
        title = modules.summary(module).rstrip(".")
        rows.append([f"[{plain(title)}]({name}.md)", str(len(formulas_of(module)))])
    for each in DERIVATIONS:
        texts[f"formulas/derivations/{each.name}.md"] = derivation_page(each)
    parts = [module.__name__.rsplit(".", 1)[-1] for module in PARTS]
    proofs = [[f"[{plain(each.title)}](derivations/{each.name}.md)"] for each in DERIVATIONS]
    texts["formulas/index.md"] = (
        "# Formulas and derivations\n\nEvery formula is written once, as a SymPy expression, and "
        "typeset here from it. Each says what kind of statement it is (exact, a bound, or "
        "asymptotic), where it holds, where it comes from, and which function evaluates it. "
        "The letters are in [concepts](../../concepts.md); $N = n - k$ is the number of "
        "non-members.\n\n## Catalogue\n\n"
        + table(["formulas", "how many"], rows)
        + "\n## Derivations\n\nThe steps of each are checked by SymPy, in exact rational numbers "
        "or to 30 digits.\n\n"
        + table(["derivation"], proofs)
        + "\n"
        + toctree([*parts, *(f"derivations/{each.name}" for each in DERIVATIONS)], hidden=True)
    )
    return texts


def symbols_table() -> str:
    """The letters and what they mean, from `theory.symbols`."""
    from theory.symbols import MEANING

    rows = [[f"${formula(symbol)}$", plain(meaning)] for symbol, meaning in MEANING.items()]
    return table(["letter", "meaning"], rows)
