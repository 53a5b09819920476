"""The gallery: every figure of the saved results, what it shows, and the command that makes it."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cache
from itertools import compress
from pathlib import Path

from reports.claims import CLAIMS
from reports.docs.generate import EVIDENCE, GENERATED, ROOT, Pages, table, toctree
from reports.docs.generate.markdown import plain
from reports.jobs import Job
from reports.results import Figure, Results


@cache
def saved() -> Results:
    """The results that come with the project."""
    return Results(EVIDENCE)


def _page_name(job: Job) -> str:
    return job.folder.replace("/", "_")


def _from_page(path: Path) -> str:
    """A file as seen from a page of the gallery."""
    return os.path.relpath(path.resolve(), GENERATED / "gallery")


def _section(figure: Figure, command: str) -> str:
    name = figure.name.replace("_", " ")
    cited = ((figure.job, figure.name) in (*claim.figures, *claim.where_there) for claim in CLAIMS)
    claims = ", ".join(claim.key for claim in compress(CLAIMS, cited))
    bears = f" It bears on claim {claims} of the [ledger](../claims.md)." if claims else ""
    return (
        f"## {name[:1].upper()}{name[1:]}\n\n![{name}]({_from_page(figure.svg)})\n\n"
        f"{plain(figure.caption)}{bears}\n\n"
        f"Numbers: {{download}}`{figure.csv.name} <{_from_page(figure.csv)}>`. "
        f"Made by `{command}`.\n"
    )


def pages() -> Pages:
    """The index, with every figure small, and one page a job."""
    results = saved()
    figures: dict[Job, list[Figure]] = defaultdict(list)
    for figure in results.figures():
        figures[figure.job].append(figure)
    texts: Pages = {"benchmarks.md": benchmarks()}
    rows = []
    for job, found in figures.items():
        command = results.command(job)
        sections = [_section(figure, command) for figure in found]
        texts[f"gallery/{_page_name(job)}.md"] = f"# {job.title}\n\n" + "\n".join(sections)
        rows.append([f"[{job.title}]({_page_name(job)}.md)", str(len(found)), f"`{command}`"])
    texts["gallery/index.md"] = (
        "# Gallery\n\nThe figures of the results that come with the project. Each is drawn from "
        "the CSV beside it and nothing else. Bars on measured points are 95 % intervals.\n\n"
        + table(["figures of", "how many", "made by"], rows)
        + "\n"
        + toctree([_page_name(job) for job in figures], hidden=True)
    )
    return texts


def benchmarks() -> str:
    """The tables of `make bench`, as they were saved."""
    texts = [
        (EVIDENCE / "bench" / f"{name}.md").read_text("utf-8") for name in ("bench", "training")
    ]
    return "# Benchmarks\n\nMade by `make bench`.\n\n" + "\n\n".join(texts)


def captions() -> dict[str, str]:
    """Every figure's caption, by its file's name."""
    return {str(figure.svg.relative_to(ROOT)): figure.caption for figure in saved().figures()}
