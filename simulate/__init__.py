"""The network as arrays, its exact constructions, samplers and estimators."""

from simulate.constructions import clamp, complement, complement_limit
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork, divergence
from simulate.sampling import random_coefficients, random_hashes, random_sets

__all__ = [
    "PackedHashes",
    "ReluNetwork",
    "clamp",
    "complement",
    "complement_limit",
    "divergence",
    "random_coefficients",
    "random_hashes",
    "random_sets",
]
