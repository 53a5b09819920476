"""`python -m theory derive`: the derivations and their checks."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from theory import command_line
from theory.command_line import SCHEMA
from theory.domain import DomainError


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
