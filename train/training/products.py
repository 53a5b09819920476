"""Large matrix products on the CPU, by NumPy's BLAS, which is OpenBLAS in its wheels.

PyTorch's own, by MKL, take 1.3 times as long on one thread of an AMD processor where the result has
two million entries or more; below half a million both take about as long.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def product(
    a: Float[Tensor, "rows inner"],
    b: Float[Tensor, "inner columns"],
    out: Float[Tensor, "rows columns"] | None = None,
) -> Float[Tensor, "rows columns"]:
    """a @ b, through which no gradient flows; in out where that is given.

    Its last bits depend on NumPy's number of threads, which `fit.advance` sets to PyTorch's.
    """
    a, b = a.detach(), b.detach()
    if out is None:  # PyTorch's memory, which is aligned for all that follows
        out = a.new_empty(len(a), b.shape[1])
    if a.device.type != "cpu" or a.dtype != torch.float32:
        return torch.mm(a, b, out=out)
    with np.errstate(all="ignore"):  # what is not finite passes, as in PyTorch
        np.matmul(a.numpy(), b.numpy(), out=out.numpy())
    return out
