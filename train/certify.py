"""`python -m train.certify`: what can be proved of a network, for every input and coefficient.

Exit code 0 whatever is proved, 1 if the certificate does not pass its own checker, 2 on bad
input, 130 when interrupted.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import tyro

from simulate.jobs import output
from theory import command_line
from theory.domain import DomainError, check_integer, check_real

if TYPE_CHECKING:
    import numpy as np

    from train.certificate.finish import FinishedRecord
    from train.reading.normal_form import NormalForm
    from train.reading.subject import Subject

Format = Literal["png", "svg", "pdf"]
CERTIFICATE, WEIGHTS, RECORD = "certificate.json", "weights.safetensors", "certify.json"
JOURNAL = "enumeration.jsonl"
# 2^25: C(512, 3) is 22 million
MOST_INPUTS = 33_554_432


@dataclass(frozen=True)
class Certify:
    """Prove what can be proved of any network with W_E, W_in, b_in, W_out and W_U.

    Writes weights.safetensors (the weights certified), certificate.json, certify.json, run.json,
    figures.md and a figure (PNG, SVG) with its CSV into the output folder. The certificate can be
    checked by `python -m train.certificate.checker weights.safetensors certificate.json`.
    """

    MODULE: ClassVar[str] = "train.certify"

    checkpoint: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    (
        "A safetensors file, a state dict (.pt), the folder of a training run, or "
        "construction:n=512,k=3,d=64,m=12 (optionally kind=clamp, complement or complement_limit, "
        "and seed, c, beta, gain, eta, noise). Of several instances each has its folder, "
        "instance_0, ..."
    )
    out: Path = Path("reports/results/certificate")
    """Folder for the results. Earlier ones in it are replaced; other files are left alone."""
    k: int | None = None
    """Active tokens in one input. If it is not given, the file's metadata must have it."""
    c: float | None = None
    """Largest coefficient. If it is not given, that of the file's metadata, or 2."""
    names: tuple[str, ...] = ()
    """What the file calls tensors whose names are not guessed, as in W_in=mlp.0.weight."""
    transpose: tuple[str, ...] = ()
    (
        "Tensors (W_E, W_in, W_out, W_U) that the file holds transposed, where shapes and names "
        "do not tell."
    )
    ignore: tuple[str, ...] = ()
    """Names of tensors in the file that are to be left out. All others must be used."""
    residual: bool | None = None
    (
        "Whether there is a residual connection. If it is not given, there is one where shapes "
        "allow it."
    )
    finish: Literal["no", "least", "sharp"] = "no"
    (
        "Certify not the network but one on the way to its own rounding, whose total variation is "
        "at most 1.1 times the network's. least: the nearest whose members are proved, by the "
        "structure of the weights, to outrank every token that misses a bit. sharp: the rounding "
        "itself, read out so steeply that an input fails if and only if its tokens cover another."
    )
    most_inputs: int = MOST_INPUTS
    (
        "Bound the failure of each input if there are at most so many, and otherwise of a sample. "
        "With 0 there is no branch and bound over members either: what is proved follows from the "
        "structure of the weights."
    )
    samples: int = 2000
    """Size of that sample, at least 2."""
    precision: float = 0.006
    (
        "How finely an input's coefficients are divided: a box of them is halved as long as it is "
        "undecided whether the input fails in more than this share of all coefficients."
    )
    arithmetic: Literal["real", "float32", "bfloat16"] = "real"
    (
        "What the certificate is about: the weights in real arithmetic, or every forward pass in "
        "float32 or in bfloat16, whatever the order of its sums. bfloat16 needs weights that it "
        "holds."
    )
    resume: bool = False
    """Continue an interrupted run of the same command."""
    jobs: int = 0
    """Threads; 0 for one on each processor. Results do not depend on it."""
    seed: int = 0
    """Seed of the sampled inputs, at least 0."""
    formats: tuple[Format, ...] = ("png", "svg")
    """File formats of the figure."""
    json: bool = False
    """Print certify.json instead of the summary."""

    def run(self) -> int:
        check_integer("most_inputs", self.most_inputs, 0, 2**31)
        check_integer("samples", self.samples, 2)
        check_integer("jobs", self.jobs, 0)
        check_integer("seed", self.seed, 0)
        check_real("precision", self.precision, 0.0, 1.0, closed=True)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from train import check_installed
        from train.reading.subject import open_subjects

        check_installed()
        subjects = open_subjects(
            self.checkpoint, self.k, self.c, self.names, self.transpose, self.ignore, self.residual
        )
        if subjects[0].c_assumed:
            c = subjects[0].c
            print(f"c is neither given nor in the metadata: {c:g} assumed", file=sys.stderr)
        folders = [self.out / f"instance_{place}" for place in range(len(subjects))]
        folders = folders if len(subjects) > 1 else [self.out]
        codes = [self._certify(*each) for each in zip(subjects, folders, strict=True)]
        return max(codes)

    def _certify(self, subject: Subject, out: Path) -> int:
        """Certify one network; the exit code."""
        import numpy as np
        from threadpoolctl import threadpool_limits

        from simulate.jobs.figure import figures_page
        from simulate.jobs.folder import FIGURES, PAGE, RUN
        from train.certificate import checker
        from train.certificate.proof import check, check_arithmetic, proposed, prove, weights_of
        from train.certificate.report import figure, record, summary
        from train.reading.weights import safetensors_bytes

        started = time.monotonic()
        network = subject.network
        if self.finish == "no":
            check_arithmetic(network, self.arithmetic)
        output.check_folder(out)
        rng = np.random.default_rng(self.seed)
        # the products are as many as the threads; their own would only compete
        with threadpool_limits(1), np.errstate(all="ignore"):
            form = proposed(network, subject.k, subject.c)
            finished = None
            if self.finish != "no":
                form, finished = _finished(form, rng, self.finish)
            proof = prove(
                form,
                rng,
                self.arithmetic,
                self.samples,
                self.most_inputs,
                self.precision,
                self.jobs or os.cpu_count() or 1,
                checker.progress(),
                out / JOURNAL,
                self.resume,
            )
            weights = safetensors_bytes(weights_of(form.network), {"k": form.k, "c": form.c})
            cert = output.as_json(proof.certificate)
            verdicts = check(proof, weights, cert.encode())
            found = record(proof, verdicts, subject.name, subject.source, finished)

        drawn = figure(found).rendered(self.formats)
        plain = msgspec.to_builtins(found)
        seconds = time.monotonic() - started
        configuration = {"job": self.MODULE, **asdict(self), "out": str(out)}
        run = output.run_record(output.command_of(self.MODULE), configuration, seconds)
        files: dict[str, bytes | str] = {
            WEIGHTS: weights,
            CERTIFICATE: cert,
            RECORD: output.as_json(plain),
            **drawn.files,
            FIGURES: output.as_json([drawn.entry]),
            PAGE: figures_page(f"Figures of {subject.name}", [drawn.entry]),
            RUN: output.as_json(run),
        }
        write_all(out, files)
        for path in out.glob(f"{Path(JOURNAL).stem}.*"):
            path.unlink()
        if self.json:
            command_line.print_json(plain)
        else:
            print("\n".join(summary(found)))
        print(f"{seconds:.0f} s, results in {out}", file=sys.stderr)
        rejected = [x.sentence for x in verdicts if not x.proved]
        for sentence in rejected:
            print(f"the checker rejects: {sentence}", file=sys.stderr)
        return command_line.CHECK_FAILED if rejected else command_line.DONE


def write_all(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write all of the files or none: each beside its place first, then all are moved there.

    Raises OSError, as on a full disk, with the folder as it was.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".certify.") as beside:
        for name, content in files.items():
            output.write_whole(Path(beside) / name, content)
        for name in files:
            os.replace(Path(beside) / name, folder / name)


def _finished(
    form: NormalForm, rng: np.random.Generator, goal: Literal["least", "sharp"]
) -> tuple[NormalForm, FinishedRecord]:
    """The least finished network that is certified, and what that cost."""
    from train.certificate.finish import FinishedRecord, certifiable

    found = certifiable(form, rng, goal)
    if found is None:
        raise DomainError(
            f"finish must not be {goal}: not even the network's own rounding is certified at no "
            "more than 1.1 times its total variation"
        )
    return found.form, FinishedRecord(
        goal, found.strength, found.scale, found.total_variation, found.before
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and certify."""
    return command_line.parsed(Certify, Certify.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
