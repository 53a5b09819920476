"""Check a certificate of a network's weights: python -m checker WEIGHTS CERTIFICATE [--jobs N]

This folder needs NumPy and nothing else; it may be copied anywhere.

WEIGHTS is a safetensors file, CERTIFICATE a JSON file. Every statement of the certificate is proved
anew from the weights and printed. Exit code 0: all were proved, and one says that members outrank
other tokens; 1: one is false or could not be proved, or none is about ranking; 2: bad input.

An input is any k of the n tokens, its members, each with a coefficient alpha in [1, c]. A token
misses the units that it owns and no member owns; it is covered if it misses none and is no member.
An input fails when softmax gives its members less than (k/(k+1) + 1)/2. Probabilities are over
uniform inputs and alpha. With arithmetic "real" all is about the weights in exact arithmetic; with
"float32" or "bfloat16" it holds for the logits of every forward pass in that format or a wider one,
whatever the order of each sum, fused or not, subnormals flushed or not. The softmax is exact.

Hidden unit u, with a sign s_u of the certificate's choice, has y_u = bias_u + sum_j alpha_j read_ju
and f_u = ReLU(y_u). As ReLU(z) = z + ReLU(-z), for any signs

    logit_t = constant_t + sum_j alpha_j direct_jt - sum_u cost_ut f_u.

Floats are used with a bound on their rounding, which is 0 where all sums are exact: in float64
those of multiples of 2^-p below 2^(53-p). What overflows becomes NaN or infinite, and proves
nothing.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from . import Checker, progress, read_certificate, read_weights
from .reading import BadInput, require


def about_ranking(statement):
    return statement is not None and statement["kind"] == "outranks" and statement["margin"] > 0.0


class Parser(argparse.ArgumentParser):
    """Its errors are bad input."""

    def error(self, message):
        raise BadInput(message)


def main(arguments=None):
    parser = Parser(
        prog="checker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("certificate", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="threads")
    try:
        options = parser.parse_args(arguments)
        require(options.jobs >= 1, "jobs must be at least 1")
        weights = read_weights(options.weights.read_bytes())
        cert = read_certificate(options.certificate.read_bytes(), weights)
    except (BadInput, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    np.seterr(all="ignore")
    failed = ranking = False
    for x, sentence, proved in Checker(weights, cert, options.jobs, progress()).verdicts():
        print("proved  " if proved else "REJECTED", sentence, flush=True)
        failed, ranking = failed or not proved, ranking or (proved and about_ranking(x))
    if not ranking:
        print("it proves nothing about ranking")
    return int(failed or not ranking)


if __name__ == "__main__":
    sys.exit(main())
