"""Ids of the organisms, and the grades that order them by what hides their masks."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Name(StrEnum):
    """Ids of the organisms but for the noisy ones (`noise_name`), and stems of their files."""

    CLAMP = "clamp"
    COMPLEMENT = "complement"
    COMPLEMENT_LIMIT = "complement_limit"
    CLAMP_DISGUISED = "clamp_disguised"
    COMPLEMENT_DISGUISED = "complement_disguised"
    MIXED = "mixed"
    MIXED_DISGUISED = "mixed_disguised"
    FAULTY_DISGUISED = "faulty_disguised"
    TRAINED_DISGUISED = "trained_disguised"
    TRAINED_FAR_DISGUISED = "trained_far_disguised"


def noise_name(level: float) -> str:
    """Id of the organism with so much noise, for instance noise_0_4."""
    return f"noise_{level:g}".replace(".", "_")


class Grade(IntEnum):
    """What stands between the weights and the masks; the last is the benchmark's alone."""

    EXACT = 1
    BASIS = 2
    MIXED = 3
    FAULTS = 4
    TRAINED = 5
    NOISE = 6
    TOKENS = 7
