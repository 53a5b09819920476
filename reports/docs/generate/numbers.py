"""Numbers that the pages name, by the names that `{{ … }}` has in them: none is typed by hand."""

from __future__ import annotations

import tomllib

from reports.claims import CLAIMS
from reports.docs.generate import ROOT
from reports.docs.generate.gallery import saved
from reports.docs.generate.jobs import NOT_TIMED, took
from reports.documents import verdict
from reports.jobs import SCALING
from reports.numbers import power_of_ten
from simulate.jobs import checks, intervals
from simulate.panels import PANELS
from theory.derivations import DERIVATIONS
from theory.formulas import CATALOGUE

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: str = _PROJECT["version"]


def substitutions() -> dict[str, str]:
    """Every number by its name."""
    results = saved()
    judged = results.read(verdict(SCALING))
    statistical = [check for check in judged.checks if check.false_alarm > 0.0]
    return {
        "version": VERSION,
        "python": _PROJECT["requires-python"].removeprefix(">="),
        "formulas": str(len(CATALOGUE)),
        "derivations": str(len(DERIVATIONS)),
        "steps": str(sum(len(each.steps) for each in DERIVATIONS)),
        "panels": str(len(PANELS)),
        "claims": str(len(CLAIMS)),
        "nominal_level": power_of_ten(checks.NOMINAL_LEVEL),
        "false_alarm": power_of_ten(checks.FALSE_ALARM),
        "most_false_alarm": power_of_ten(checks.MOST_FALSE_ALARM),
        "drawn_confidence": f"{100 * intervals.DRAWN_CONFIDENCE:.0f} %",
        "checks": str(len(judged.checks)),
        "statistical_checks": str(len(statistical)),
        "deterministic_checks": str(len(judged.checks) - len(statistical)),
        "budget": power_of_ten(judged.false_alarm_budget),
        "scaling_time": took(SCALING) or NOT_TIMED,
    }
