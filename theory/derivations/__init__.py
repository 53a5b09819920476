"""Derivations whose every step is checked: `DERIVATIONS`, in reading order."""

from theory.derivations import (
    bloom_bound,
    clamp_construction,
    column_weight,
    complement_impossibility,
    converses,
    dense_codes,
    harder_task,
    moment_curve,
    negative_association,
    optimal_hashes,
    pseudo_inverse,
    quenched,
    ranked_code,
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
    column_weight.DERIVATION,
    rate_function.DERIVATION,
    softmax_identities.DERIVATION,
    softmax_integrals.DERIVATION,
    complement_impossibility.DERIVATION,
    dense_codes.DERIVATION,
    ranked_code.DERIVATION,
    harder_task.DERIVATION,
    pseudo_inverse.DERIVATION,
    moment_curve.DERIVATION,
    converses.DERIVATION,
)
