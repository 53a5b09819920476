"""The figures of an analysis by id; the ledger cites them by these."""

from __future__ import annotations

from enum import StrEnum


class FigureId(StrEnum):
    """Every figure that an analysis can have, in the order in which they are shown."""

    READ_WEIGHTS = "read_weights"
    WRITE_WEIGHTS = "write_weights"
    MASK_AGREEMENT = "mask_agreement"
    MASS_ON_MEMBERS = "mass_on_members"
    TYPICAL_OUTPUT = "typical_output"
    UNIFORMITY = "uniformity"
    FALSE_POSITIVE_OUTPUT = "false_positive_output"
    GIVEN_FALSE_POSITIVE = "given_false_positive"
    HASHES_AGAINST_UNION = "hashes_against_union"
    MISSING_BIT_LEVELS = "missing_bit_levels"
    COVERED_OR_NOT = "covered_or_not"
    MORE_TOKENS = "more_tokens"
    HIDDEN_BASIS = "hidden_basis"
    HIDDEN_STATES = "hidden_states"
    LAYER_EIGENVALUES = "layer_eigenvalues"
    HASH_DOT = "hash_dot"
    LARGEST_UNION_OUTPUT = "largest_union_output"
    SMALLEST_UNION_OUTPUT = "smallest_union_output"
    FAILURE_BY_UNION_SIZE = "failure_by_union_size"
    CODE = "code"
    OTHER_COEFFICIENTS = "other_coefficients"
    PREDICTED_AGAINST_MEASURED = "predicted_against_measured"
    CAUSAL_EDITS = "causal_edits"
    CAUSAL_STEPS = "causal_steps"
