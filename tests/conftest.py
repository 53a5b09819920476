"""Shape annotations are checked at run time in every test; Hypothesis is deterministic."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import typechecker  # the hook below finds it by name

# Numba compiles the functions as they are written, not wrapped in a check
CHECKED = [
    f"simulate.{module.name}"
    for module in iter_modules([str(Path(__file__).parents[1] / "simulate")])
    if module.name != "numba_kernels"
]
if find_spec("torch"):  # whose types the annotations name
    CHECKED.append("train")
install_import_hook(CHECKED, "tests.typechecker.check")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before the fixtures, which are checked with the first test that asks for them."""
    typechecker.check_anew()


# derandomised: a green suite stays green, and a failure is the same failure for everyone
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
