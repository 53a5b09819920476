"""`python -m reports.reproduce`: every job that the report rests on, from nothing.

To resume, run it again: finished jobs are kept, and the interrupted one continues. Exit code 0 when
all are done, whatever their checks found (the report says it); 130 when interrupted; otherwise the
exit code of the job that could not be done.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from theory import command_line


@dataclass(frozen=True)
class Reproduce:
    """Run every job whose results are not there yet, in order."""

    out: Path = Path("reports/results/all")
    """Folder of all results, with a folder for each job."""
    quick: bool = False
    """Small samples and small networks."""
    list: bool = False
    """Print the commands instead of running them."""

    def run(self) -> int:
        from reports.jobs import JOBS

        for job in JOBS:
            if job.ended(self.out):
                continue
            arguments = job.arguments(str(self.out), self.quick)
            arguments += ["--resume"] if job.resumes else []
            if self.list:
                print(" ".join(["python", *arguments]))
                continue
            print(f"{job.folder}: {' '.join(['python', *arguments])}", file=sys.stderr)
            code = subprocess.run([sys.executable, *arguments], check=False).returncode
            # a failed check is a result, which the report will tell
            if code != command_line.DONE and not (
                code == command_line.CHECK_FAILED and job.checked
            ):
                return code
        return command_line.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the jobs."""
    return command_line.parsed(Reproduce, "reports.reproduce", __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
