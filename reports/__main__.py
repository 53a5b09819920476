"""`python -m reports`: the claims ledger, all figures and the interactive page.

The report is built from saved results, and nothing is computed anew. Exit code 0 when it is built,
whatever results are missing; 1 when a saved scientific check had failed, 2 on bad input, 130 when
interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from theory import command_line
from theory.domain import DomainError

if TYPE_CHECKING:
    from reports.results import Results

PAGE, CLAIMS, LEDGER, FIGURES = "page.html", "claims.md", "ledger.json", "figures"


@dataclass(frozen=True)
class Report:
    """Write page.html, claims.md, ledger.json, figures.md and figures/ into the output folder."""

    results: Path = Path("reports/evidence")
    """Folder of saved results: those that come with the project, or those of make reproduce."""
    out: Path = Path("reports/results/report")
    """Folder for the report. An earlier one in it is replaced; other files are left alone."""
    json: bool = False
    """Print the ledger as one JSON object."""

    def run(self) -> int:
        try:
            return self._build()
        except ModuleNotFoundError as missing:
            raise DomainError(
                f'{missing.name} must be installed: pip install -e ".[report,train]"'
            ) from None

    def _build(self) -> int:
        from reports import render
        from reports.claims import CLAIMS as ALL
        from reports.ledger import SCHEMA, failed_checks, ledger
        from reports.results import Results
        from simulate.jobs import output

        results = Results(self.results)
        figures = list(results.figures())
        missing = {job.folder: job.command(str(self.results)) for job in results.missing()}
        rows = ledger(ALL, results)
        failed = failed_checks(results)
        summary = render.summary(rows)
        record = {
            "schema": SCHEMA,
            "summary": summary,
            "claims": [row.record() for row in rows],
            "failed_checks": failed,
            "missing": missing,
            "figures": [figure.file_name for figure in figures],
        }
        page = self._page(results, render.section(rows))

        output.check_folder(self.out / FIGURES)
        self._remove_earlier()
        for figure in figures:
            for path in (figure.svg, figure.csv):
                name = f"{figure.file_name}{path.suffix}"
                output.write_whole(self.out / FIGURES / name, path.read_bytes())
        output.write_whole(self.out / CLAIMS, render.markdown(rows, [*missing.values()]))
        output.write_whole(self.out / "figures.md", render.figures_page(figures, results))
        output.write_whole(self.out / LEDGER, output.as_json(record))
        output.write_whole(self.out / PAGE, page)
        if self.json:
            command_line.print_json(record)
        else:
            print(summary)
            for row in rows:
                print(f"{row.key:>3}  {row.judged:<23} {row.title}")
        for job, command in missing.items():
            print(f"missing: {job}; make it with: {command}", file=sys.stderr)
        for name in failed:
            print(f"a check had failed: {name}", file=sys.stderr)
        print(f"report in {self.out}", file=sys.stderr)
        return command_line.CHECK_FAILED if failed else command_line.DONE

    def _remove_earlier(self) -> None:
        """An earlier report's files must not stand beside a new one's; its ledger names figures."""
        try:
            names = json.loads((self.out / LEDGER).read_text())["figures"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            names = []
        figures = [f"{name}.{kind}" for name in names for kind in ("svg", "csv")]
        for name in (PAGE, CLAIMS, LEDGER, "figures.md"):
            (self.out / name).unlink(missing_ok=True)
        for name in figures:
            if Path(name).name == name:
                (self.out / FIGURES / name).unlink(missing_ok=True)

    def _page(self, results: Results, claims: str) -> str:
        from reports.claims.sources import SOURCE, SOURCE_WEIGHTS
        from reports.jobs import SOURCE_NETWORK
        from reports.page import build
        from reports.results import MissingResult
        from reports.traced import given
        from train.reading import weights

        try:
            network = weights.load(results.path(SOURCE_WEIGHTS))
            masks = given(results.read(SOURCE).prediction).masks
            source = f"Network: {results.command(SOURCE_NETWORK)}"
        except MissingResult:
            return build(ledger=claims)
        rate = masks.failure_probability.value
        return build(network, mask_failure_probability=rate, ledger=claims, source=source)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build the report."""
    return command_line.parsed(Report, "reports", __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
