"""The jobs of the report, how each is run, and how long it took."""

from __future__ import annotations

from reports.docs.generate import table
from reports.docs.generate.gallery import saved
from reports.documents import run
from reports.jobs import JOBS, Job

NOT_TIMED = "not timed"


def duration(seconds: float) -> str:
    """A wall time in words, as exact as a reader can use it."""
    if seconds < 1.5:
        return "a second"
    if seconds < 90.0:
        return f"{seconds:.0f} seconds"
    if seconds < 5400.0:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def took(job: Job) -> str | None:
    """How long the saved run of a job took; None where the time of its earlier parts is lost."""
    record = saved().read(run(job))
    return None if record.resumed else duration(record.seconds)


def overview() -> str:
    """A table of Markdown: what each job makes, its command, and its time."""
    rows = [[job.title, f"`{job.command('results')}`", took(job) or NOT_TIMED] for job in JOBS]
    return table(["what it makes", "command", "time"], rows)
