"""Derivations whose every step is checked: `DERIVATIONS`, in reading order."""

from theory.derivations import (
    bloom_bound,
    clamp_construction,
    complement_impossibility,
    negative_association,
    optimal_hashes,
    quenched,
    rate_function,
    softmax_identities,
    softmax_integrals,
    width_law,
)
from theory.derivations.derivation import Derivation

DERIVATIONS: tuple[Derivation, ...] = (
    clamp_construction.DERIVATION,
    bloom_bound.DERIVATION,
    negative_association.DERIVATION,
    quenched.DERIVATION,
    optimal_hashes.DERIVATION,
    width_law.DERIVATION,
    rate_function.DERIVATION,
    softmax_identities.DERIVATION,
    softmax_integrals.DERIVATION,
    complement_impossibility.DERIVATION,
)
