"""Shape annotations are checked at run time throughout the tests; Hypothesis is deterministic."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

import tests.typechecker  # noqa: F401  the hook below finds it by name

install_import_hook("simulate", "tests.typechecker.check")

# derandomised: a green suite stays green, and a failure is the same failure for everyone
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
