"""`python -m train.certify`: what can be proved of a network, for every input and coefficient.

Exit code 0 whatever is proved, 1 if the certificate does not pass its own checker, 2 on bad input,
130 when interrupted.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    import numpy as np

    from train.reading.normal_form import NormalForm

Format = Literal["png", "svg", "pdf"]
CERTIFICATE, WEIGHTS, RECORD, RUN, PAGE = (
    "certificate.json",
    "weights.safetensors",
    "certify.json",
    "run.json",
    "figures.md",
)
# 2^25: C(512, 3) is 22 million
MOST_INPUTS = 33_554_432


@dataclass(frozen=True)
class Certify:
    """Prove what can be proved of any network with W_E, W_in, b_in, W_out and W_U.

    Writes weights.safetensors (the weights certified), certificate.json, certify.json, run.json,
    figures.md and a figure (PNG, SVG) with its CSV into the output folder. The certificate can be
    checked by `python -m train.certificate.checker weights.safetensors certificate.json`.
    """

    checkpoint: tyro.conf.Positional[str]
    """A safetensors file, the folder of a training run, or construction:n=512,k=3,d=64,m=12
    (optionally kind=clamp, complement or complement_limit, and seed, beta, gain, eta, c)."""
    out: Path = Path("reports/results/certificate")
    """Folder for the results. Earlier ones in it are replaced; other files are left alone."""
    k: int | None = None
    """Active tokens in one input; that of the file's metadata if not given."""
    c: float | None = None
    """Largest coefficient; that of the file's metadata, or 2, if not given."""
    names: tuple[str, ...] = ()
    """The file's names of tensors that are called otherwise, as W_in=mlp.0.weight."""
    transpose: tuple[str, ...] = ()
    """Our names of tensors that the file holds transposed, as W_in of a torch Linear."""
    finish: Literal["no", "least", "sharp"] = "no"
    """Certify not the network but one on the way to its own rounding, whose total variation is at
    most 1.1 times the network's. least: the nearest whose members are proved, without enumeration,
    to outrank every token that misses a bit. sharp: the rounding itself, read out so steeply that
    an input fails if and only if its tokens cover another."""
    most_inputs: int = MOST_INPUTS
    """Search all inputs if there are at most so many (a quarter of an hour for 22 million), else a
    sample; 0 for none but the structure of the weights."""
    samples: int = 2000
    """Size of that sample, at least 2."""
    splits: int | None = None
    """How often a box of coefficients may be halved to settle whether its inputs fail; 3 to 10 by
    the number of inputs if not given."""
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
        if self.splits is not None:
            check_integer("splits", self.splits, 0, 40)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        import numpy as np
        from threadpoolctl import threadpool_limits

        from simulate.jobs import output
        from train import check_installed
        from train.analysis.figure import figures_page
        from train.certificate import checker
        from train.certificate.proof import certificate, proposed, prove, weights_of
        from train.certificate.report import figure, record, summary
        from train.reading.subject import open_subject
        from train.reading.weights import safetensors_bytes

        check_installed()
        started = time.monotonic()
        subject = open_subject(self.checkpoint, self.k, self.c, self.names, self.transpose)
        if subject.c_assumed:
            print(f"c is neither given nor in the metadata: {subject.c:g} assumed", file=sys.stderr)
        self.out.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(self.seed)
        # the products are as many as the threads; their own would only compete
        with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
            form = proposed(subject.network, subject.k, subject.c)
            finished: dict[str, Any] | None = None
            if self.finish != "no":
                form, finished = _finished(form, rng, self.finish)
            proof = prove(
                form,
                rng,
                self.samples,
                self.most_inputs,
                self.splits,
                self.jobs or os.cpu_count() or 1,
                _progress if sys.stderr.isatty() else None,
            )
            cert = certificate(proof)
            found = {
                "checkpoint": subject.name,
                "source": subject.source,
                "finished": finished,
                **record(proof),
            }
            # what is quickly checked again is
            quick = {**cert, "claims": {**cert["claims"], "enumeration": None}}
            weights = weights_of(form.network)
            rejected = [claim for claim, holds in checker.check(weights, quick) if not holds]

        drawn = figure(found)
        metadata = {"k": form.k, "c": form.c}
        output.write_whole(self.out / WEIGHTS, safetensors_bytes(weights, metadata))
        output.write_whole(self.out / CERTIFICATE, output.as_json(cert))
        output.write_whole(self.out / RECORD, output.as_json(found))
        for name, content in drawn.files(self.formats).items():
            output.write_whole(self.out / name, content)
        output.write_whole(self.out / PAGE, figures_page([drawn], subject.name))
        seconds = time.monotonic() - started
        configuration = {"job": "train.certify", **asdict(self), "out": str(self.out)}
        run = output.run_record(output.command_of("train.certify"), configuration, seconds)
        output.write_whole(self.out / RUN, output.as_json(run))
        if self.json:
            command_line.print_json(found)
        else:
            print("\n".join(summary(found)))
        print(f"{seconds:.0f} s, results in {self.out}", file=sys.stderr)
        for claim in rejected:
            print(f"the checker rejects: {claim}", file=sys.stderr)
        return command_line.CHECK_FAILED if rejected else command_line.DONE


def _finished(
    form: NormalForm, rng: np.random.Generator, goal: Literal["least", "sharp"]
) -> tuple[NormalForm, dict[str, Any]]:
    """The least finished network that is certified, and what that cost."""
    from train.certificate.finish import certifiable

    found = certifiable(form, rng, goal)
    if found is None:
        raise DomainError(
            f"finish must not be {goal}: not even the network's own rounding is certified at no "
            "more than 1.1 times its total variation"
        )
    return found.form, {
        "goal": goal,
        "strength": found.strength,
        "scale": found.scale,
        "total_variation": found.total_variation,
        "trained_total_variation": found.before,
    }


def _progress(done: int, inputs: int) -> None:
    print(f"\r{done:,} of {inputs:,} inputs", end="\n" if done == inputs else "", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and certify."""
    command = tyro.cli(
        Annotated[Certify, tyro.conf.arg(name="")],
        prog="python -m train.certify",
        description=__doc__,
        args=arguments,
    )
    return command.run()


if __name__ == "__main__":
    command_line.run(main)
