# ruff: noqa: E402
"""The checker of certificates: a program of its own, which needs NumPy only."""

import os

for library in ("OPENBLAS", "MKL", "OMP"):  # one thread for each of --jobs
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from .enumeration import Enumeration
from .inputs import ByLevels
from .network import Network
from .prefixes import Prefixes
from .reading import (
    AXES,
    DTYPES,
    ENUMERATION,
    KINDS,
    MOST_INPUTS,
    MOST_STEPS,
    PREFIXES,
    PROBABILITIES,
    SCHEMA,
    SHAPES,
    STRUCTURE,
    BadInput,
    fingerprint,
    held,
    read_certificate,
    read_weights,
)
from .statements import Checker, progress

__all__ = [
    "AXES",
    "DTYPES",
    "ENUMERATION",
    "KINDS",
    "MOST_INPUTS",
    "MOST_STEPS",
    "PREFIXES",
    "PROBABILITIES",
    "SCHEMA",
    "SHAPES",
    "STRUCTURE",
    "BadInput",
    "ByLevels",
    "Checker",
    "Enumeration",
    "Network",
    "Prefixes",
    "fingerprint",
    "held",
    "progress",
    "read_certificate",
    "read_weights",
]
