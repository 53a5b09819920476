"""A network as a torch module of ordinary submodules, for hooks and for tools that expect them.

The submodules are those of `load_organism.OrganismNetwork`.
"""

from __future__ import annotations

import numpy as np
import torch

from simulate.network import ReluNetwork
from train.organism.load_organism import OrganismNetwork


class HookedNetwork(OrganismNetwork):
    """`ReluNetwork`'s forward pass in the network's dtype, through the submodules named there."""

    def __init__(self, network: ReluNetwork) -> None:
        names = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
        arrays = {name: getattr(network, name) for name in names}
        super().__init__(
            {
                name: torch.tensor(np.ascontiguousarray(array))
                for name, array in arrays.items()
                if array is not None
            }
        )
