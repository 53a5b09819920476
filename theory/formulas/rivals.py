"""Formulas for the rivals of the Bloom construction."""

from __future__ import annotations

from theory import rivals
from theory.formula import Formula
from theory.symbols import d, k, n

LINEAR_READOUT_ERROR = Formula(
    "relative squared error of a random code with a linear readout",
    (n - 1) / d,
    "exact",
    "n >= 1, d >= 1, alpha = 1, 0/1 target, relative to predicting zero",
    "n-1 cross terms per active token, each of mean square 1/d",
    rivals.linear_readout_error,
)

SCALED_READOUT_ERROR = Formula(
    "relative squared error of a random code with the best scaled linear readout",
    (n - 1) / (n - 1 + d),
    "exact",
    "n >= 1, d >= 1, alpha = 1, 0/1 target, relative to predicting zero",
    "minimum over s of (1-s)^2 + s^2 (n-1)/d",
    rivals.scaled_readout_error,
)

AFFINE_FLOOR = Formula(
    "least relative squared error of any affine code",
    (n - k) * (n - 1 - d) / (n * (n - 1)),
    "lower bound",
    "1 <= k <= n, 1 <= d <= n - 1",
    "n-1-d equal eigenvalues of the indicators' covariance are lost at rank d",
    rivals.affine_floor,
    of=SCALED_READOUT_ERROR,
)

FORMULAS = (LINEAR_READOUT_ERROR, SCALED_READOUT_ERROR, AFFINE_FLOOR)
