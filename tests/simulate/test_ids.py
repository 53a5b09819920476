"""What is read by machines are ids: labels and captions can be reworded without any noticing."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from functools import cache
from typing import Any

import msgspec
import pytest

from simulate.dense_codes import DenseCode
from simulate.designed_codes import Design
from simulate.jobs import checks as checks_module
from simulate.jobs.checks import Check, Which, agrees, verdict
from simulate.jobs.intervals import Count
from simulate.jobs.panel import Panel
from simulate.jobs.table import Kind, Named, Point
from simulate.panels import PANELS
from tests.simulate.running import results

FAST = ("false_positive_count", "designed_codes")
HALF = Count(5, 10).at(0.95)
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in PANELS if name not in FAST]


@cache
def found(name: str) -> list[Any]:
    return results(PANELS[name])


def ids(panel: Panel) -> tuple[list[str], list[bool], list[str], tuple[str, ...]]:
    """Of the checks, with what they say, the table's rows, and the figure with its files."""
    checks = panel.checks(found(panel.name))
    figure = panel.figure(found(panel.name)).rendered(())
    rows = [point.id for point in panel.table(found(panel.name))]
    judged = [check.passed for check in checks]
    return [check.id for check in checks], judged, rows, (figure.entry.id, *figure.entry.files)


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_labels_changed_at_random_change_no_id(name: str, monkeypatch) -> None:
    """Ten names of checks, ten labels of series and the caption."""
    rng = random.Random(name)
    panel = PANELS[name]
    before = ids(panel)
    make, calls = checks_module._check, iter(range(10**6))
    changed = set(rng.sample(range(len(before[0])), min(10, len(before[0]))))

    def renamed(which: Which, text: str, *rest: Any) -> checks_module.Check:
        return make(which, str(rng.random()) if next(calls) in changed else text, *rest)

    monkeypatch.setattr(checks_module, "_check", renamed)
    members = [member for kind in all_kinds() for member in kind]
    for member in rng.sample(members, 10):
        monkeypatch.setattr(member, "label", str(rng.random()))
    assert ids(dataclasses.replace(panel, caption="reworded")) == before


def all_kinds() -> list[type[Named]]:
    kinds = Named.__subclasses__()
    assert {Design, DenseCode} < set(kinds)
    return kinds


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_ids_are_unique_and_clean(name: str) -> None:
    """No two checks share an id; ids hold neither mathematics nor empty parts."""
    checks, _, rows, _ = ids(PANELS[name])
    assert max(Counter(checks).values()) == 1
    for each in (*checks, *rows):
        assert "$" not in each
        assert "\\" not in each
        assert not each.startswith("/")


def test_two_checks_with_one_id_are_refused() -> None:
    """Whatever they are called."""
    which = Which("panel", "quantity", {"n": 3})
    first, second = (agrees(which, name, 0.5, HALF) for name in ("one", "other"))
    assert verdict([first]).passed
    with pytest.raises(ValueError, match="two checks have the id panel/quantity/n=3"):
        verdict([first, second])


def test_a_check_has_the_id_of_what_it_is_about() -> None:
    """Also one that is read: an id that belongs to something else is refused."""
    made = agrees(Which("panel", "quantity", {"n": 3, "epsilon": 1e-6}), "", 0.5, HALF)
    plain = msgspec.to_builtins(made)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Check) == made
    for change in ({"id": "panel/quantity/n=4,epsilon=1e-06"}, {"at": {"n": 3}}, {"panel": "b"}):
        with pytest.raises(msgspec.ValidationError, match="must have that id"):
            msgspec.convert(plain | change, Check)


def test_named_series_bring_their_labels() -> None:
    """To a point made without one; its id does not depend on it."""
    point = Point("axis", Design.SEARCH, Kind.EXACT, 1.0, 2.0)
    assert (point.shown, point.series) == ("local search", "local_search")
    assert dataclasses.replace(point, label="other").id == point.id
    assert Point("axis", "plain", Kind.EXACT, 1.0, 2.0).shown == "plain"


@pytest.mark.parametrize("name", PANELS)
def test_captions_are_short(name: str) -> None:
    """At most 60 words of plain text."""
    assert len(PANELS[name].caption.split()) <= 60
