"""`python -m train.organisms`: small networks whose hidden masks are known, and their recovery.

Exit code 0 whatever is recovered, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    from train.organism.hooked import HookedNetwork
    from train.organism.truth import Truth

Format = Literal["png", "svg", "pdf"]
RECOVERY, TABLE = "recovery.json", "organisms.csv"


@dataclass(frozen=True)
class Organisms:
    """Write small networks with their hidden masks, and recover these from the weights alone.

    Writes NAME.safetensors (W_E, W_in, b_in, W_out, W_U; k, c and seed as metadata) and
    NAME.truth.json for each network, then recovery.json, organisms.csv, run.json, figures.md and
    the figure recovery_against_noise (PNG, SVG) with its CSV. The grades: 1 exact, 2 in another
    basis, 3 two mechanisms in one network, 4 dead units and flipped bits, 5 trained, 6 noise.
    """

    MODULE: ClassVar[str] = "train.organisms"

    out: Path = Path("reports/results/organisms")
    """Folder for the results. An earlier family in it is replaced; other files are left alone."""
    seed: int = 0
    """Seed of all hashes, bases, noise and training, at least 0."""
    quick: bool = False
    """Smaller networks, of 96 tokens instead of 256, and fewer of them."""
    formats: tuple[Format, ...] = ("png", "svg")
    """File formats of the figure."""
    json: bool = False
    """Print recovery.json instead of the summary."""

    def run(self) -> int:
        check_integer("seed", self.seed, 0)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from train import check_installed

        check_installed()
        from threadpoolctl import threadpool_limits

        from simulate.jobs import output
        from simulate.jobs.folder import ResultFolder
        from train.organism import report
        from train.organism.family import FULL, QUICK
        from train.organism.noise_curve import NAME, noise_curve, noise_figure
        from train.training.threads import one_thread

        started = time.monotonic()
        sizes = QUICK if self.quick else FULL
        folder = ResultFolder(self.out)
        output.check_folder(self.out)

        def show(text: str) -> None:
            print(text, file=sys.stderr if self.json else sys.stdout, flush=True)

        # the last bits of trained weights depend on the number of threads
        with one_thread(), threadpool_limits(1):
            show(report.heading())
            organisms: list[report.OrganismRecord] = []
            files: dict[str, bytes] = {}
            for record, its_files in report.organisms(sizes, self.seed):
                organisms.append(record)
                files |= its_files
                show(report.line(record))
            curve = noise_curve(sizes, self.seed)
            show(report.footing(curve))
        found = report.recovery_record(organisms, curve, sizes, self.seed)
        folder.begin([NAME], [RECOVERY, TABLE, *earlier_organisms(self.out)])
        for name, content in files.items():
            folder.write(name, content)
        folder.write(TABLE, report.as_table(organisms))
        folder.write_record(RECOVERY, found)
        folder.write_figure(noise_figure(curve, sizes).rendered(self.formats))
        folder.write_index("the organisms")
        seconds = time.monotonic() - started
        configuration = {"job": self.MODULE, **asdict(self), "out": str(self.out)}
        folder.finish(
            output.run_record(
                output.command_of(self.MODULE),
                configuration,
                seconds,
                packages=("torch", "safetensors"),
            )
        )
        if self.json:
            command_line.print_json(output.as_plain(found))
        print(f"{seconds:.0f} s, results in {self.out}", file=sys.stderr)
        return command_line.DONE


@dataclass(frozen=True)
class _Named:
    name: str


@dataclass(frozen=True)
class _Earlier:
    """What is read of an earlier family's recovery.json, of whatever version."""

    organisms: list[_Named]


def earlier_organisms(out: Path) -> list[str]:
    """Files of an earlier family's organisms, which its recovery.json names."""
    import msgspec

    from train.organism.report import truth_name, weights_name

    try:
        record = msgspec.json.decode((out / RECOVERY).read_bytes(), type=_Earlier)
    except (FileNotFoundError, msgspec.MsgspecError):
        return []
    return [of(each.name) for each in record.organisms for of in (weights_name, truth_name)]


def load_module(path: Path | str) -> HookedNetwork:
    """The network of a safetensors file as a torch module with hookable submodules.

    Its forward(tokens, alpha) gives `ReluNetwork.logits`. Raises DomainError as `weights.load`.
    """
    from train.organism.hooked import HookedNetwork
    from train.reading.weights import load

    return HookedNetwork(load(Path(path)).relu_network)


def load_truth(path: Path | str) -> Truth:
    """The truth of an organism from its NAME.truth.json. Raises DomainError for what is none."""
    from train.organism.truth import load_truth

    return load_truth(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and make the organisms."""
    return command_line.parsed(Organisms, Organisms.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
