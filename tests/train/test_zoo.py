"""Each part of the verdict is right on each network of known truth."""

from __future__ import annotations

import msgspec
import pytest

from tests.train.subjects import plain
from tests.train.zoo import ZOO
from train.analysis.record import Analysis
from train.analysis.report import Report, analyse
from train.reading.subject import Subject


def analysed(name: str, inputs: int = 2000) -> Report:
    animal = ZOO[name]
    return analyse(Subject(animal.make(), animal.k, animal.c, name), inputs, sections=())


def said(record: Analysis) -> str:
    """Everything that the exceptions say."""
    odd = record.exceptions
    reasons = [why for each in [*odd.units, *odd.tokens] for why in each.why]
    return "\n".join([*odd.network, *reasons])


def test_the_zoo_is_large():
    assert len(ZOO) >= 40


@pytest.mark.parametrize("name", ZOO)
def test_each_part_of_the_verdict(name):
    truth = ZOO[name].truth
    record = analysed(name).record
    found = record.evidence
    holds = found.structure.holds, found.mechanism.holds, found.behaviour.holds
    assert holds == (truth.structure, truth.mechanism, truth.behaviour), (
        found.structure.reason,
        found.mechanism.reason,
        found.behaviour.reason,
    )
    assert record.verdict == truth.verdict
    assert record.bloom_filter == all(holds)
    assert (record.mechanism.code.d if record.mechanism.code else None) == truth.bits
    for words in truth.odd:
        assert words in said(record)
    data = plain(record)
    assert plain(msgspec.convert(data, Analysis)) == data
    if truth.bits is None:
        # what has no meaning is absent, not 0 or 1
        assert record.mechanistic_failure_rate is None
        assert record.behaviour.code_absent
