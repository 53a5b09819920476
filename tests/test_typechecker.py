"""Wrong types and shapes are noticed in every test, however often a function was called before."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from simulate.constructions import clamp
from simulate.network import ReluNetwork
from tests import typechecker

NETWORK = clamp(np.eye(3, dtype=bool), beta=4.0)
TOKENS, ALPHA = np.array([[0, 1]]), np.ones((1, 2))


def wrong_calls() -> None:
    """A method with too few coefficients, one of a wrong type, and a property of no network."""
    with pytest.raises(TypeCheckError):
        NETWORK.residual(TOKENS, ALPHA[:, :1])
    with pytest.raises(TypeCheckError):
        clamp(np.eye(3), beta=4.0)


def call_often() -> None:
    for _ in range(typechecker.CHECKS):
        NETWORK.residual(TOKENS, ALPHA)
        clamp(np.eye(3, dtype=bool), beta=4.0)


def test_wrong_shapes_are_noticed() -> None:
    wrong_calls()
    call_often()


def test_in_the_next_test_again() -> None:
    """Whatever ran before it."""
    wrong_calls()


def test_calls_are_checked_anew() -> None:
    call_often()
    assert ReluNetwork.residual.__wrapped__.__no_type_check__
    typechecker.check_anew()
    wrong_calls()
