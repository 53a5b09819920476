"""What the written pages state: each phrase with a number in it, made from where it follows.

A page's source has the phrases in full, so that it can be read without building the site. A number
in its prose that is in no phrase, and is no size, small integer or part of a program that the page
shows, is found by `unexplained`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import numpy as np

from reports.claims import CLAIMS
from reports.claims.sources import FINISHED
from reports.docs import regions
from reports.docs.generate.gallery import saved
from reports.docs.generate.jobs import duration
from reports.documents import run, table
from reports.jobs import FINISHED_CERTIFICATE, SCALING, STUDY
from reports.ledger import Row, ledger
from reports.numbers import power_of_ten
from simulate.jobs.checks import MOST_FALSE_ALARM, NOMINAL_LEVEL
from simulate.jobs.panel import DEFAULT
from simulate.jobs.table import Kind, Point, select
from simulate.panels import failure_against_width, width_against_error
from simulate.panels.language_models import SHAPES, Model
from theory import command_line, failure_probability, harder_task, kappa
from theory import optimal_hashes_for_failure as best_hashes
from train.certificate import finish, proof
from train.organism import activations, matching
from train.panels import SURVEY, learned_codes, mechanism_map
from train.panels import trained_failure_against_width as width
from train.panels.trained import NetworkPoint
from train.training.presets import PRESETS
from train.training.scaled import TOKENS_A_STEP

Phrases = list[str]

_CODE = re.compile(r"```.*?```|``[^`]*``|`[^`]*`", re.DOTALL)
_MARKUP = (
    re.compile(r"\A---\n.*?\n---\n", re.DOTALL),
    re.compile(r"\$\$.*?\$\$|\$[^$]*?\$", re.DOTALL),
    re.compile(r"\{\{.*?\}\}|\{[a-z:]+\}(?=\s)"),
    re.compile(r"\]\([^)]*\)"),
)
# sizes, which are chosen: n = 512 and 1,024
_SIZE = re.compile(r"\b[nkdmhc] = [\d,]*\d(?:(?:,| and) [\d,]*\d\b)*")
_DIGITS = re.compile(r"(?<![\w.])\d[\d_,.]*\d|(?<![\w.])\d")
_NUMBER = re.compile(
    r"(?<![\w.-])\d[\d,.]*\d[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*|(?<![\w.-])\d(?= ?(?:%|s\b|min|h\b|[KMGT]B))"
    r"|\b(?:half an?|a quarter of an|an?|one|two|three|four|five|six|seven|eight|nine|ten)"
    r" (?:second|minute|hour|day|gigabyte|[MG]B\b|percent)s?"
)


def unexplained(text: str, phrases: Phrases) -> list[str]:
    """Numbers in the prose of a page that stand in none of these phrases."""
    shown = {_plain(found) for code in _CODE.findall(text) for found in _DIGITS.findall(code)}
    prose = _CODE.sub(" ", regions.without(text))
    for marks in _MARKUP:
        prose = marks.sub(" ", prose)
    prose = " ".join(prose.split())
    for phrase in phrases:
        prose = prose.replace(phrase, " ")
    found = _NUMBER.findall(_SIZE.sub(" ", prose))
    return [each for each in found if _plain(each) not in shown]


def _plain(number: str) -> str:
    """Without what groups its digits."""
    return re.sub(r"(?<=\d)[_,](?=\d)", "", number)


def findings() -> Phrases:
    """Of trained networks, and how rare the failures are that were measured."""
    rows = saved().read(table(STUDY, learned_codes.NAME, NetworkPoint))
    trained = list(select(rows, kind=Kind.TRAINED))
    found, variations = [], []
    for n, low, high in ((512, 0.156, 0.159), (1024, 0.0, 1.0)):  # presets best and wide
        own = [p for p in trained if p.n == n and low < p.x < high]
        failing = [100 * p.y for p in own if p.axis == "failure"]
        assert len(failing) == 5
        found.append(f"{min(failing):.2f} to {max(failing):.2f} %")
        variations += [p.y for p in own if p.axis == "variation"]
    found.append(f"is {min(variations):.4f} to {max(variations):.4f}")
    for n, k, d in ((512, 3, 64), (1024, 4, 96)):
        rate = 100 * failure_probability(n, k, d, best_hashes(n, k, d))
        found.append(f"best random hashes fail on {rate:.2f} %")
    points = saved().read(table(SCALING, failure_against_width.NAME, Point))
    for kind in (Kind.DIRECT, Kind.CONDITIONAL):
        least = min(p.y for p in points if p.kind is kind and p.axis == "failure")
        found.append(f"down to {power_of_ten(10.0 ** round(math.log10(least)))}")
    numbered = sum(claim.key.isdecimal() for claim in CLAIMS)
    return [
        *found,
        f"makes {numbered} claims",
        "claim 12 as well (12b)",
        f"Claim 12b is judged over {IN_WORDS[len(width.TASKS) + 1]} *series*",
        f"with {_SEEDS[512]} seeds at n = 512, {_SEEDS[1024]} at n = 1,024",
        f"Question E is judged over the first {IN_WORDS[len(width.TASKS)]}",
        f"at {width.VOCABULARY:,} tokens, it also ties",
        f"{max(width.TASKS)[0]:,} with k = {max(width.TASKS)[1]}",
        f"A network of {width.VOCABULARY:,} tokens",
        f"{PRESETS['best'].steps:,} steps",
        f"{mechanism_map.BASE.steps:,} steps",
    ]


def analysis() -> Phrases:
    """Of certificates, and of the survey."""
    certified = saved().read(FINISHED)
    low, high = certified.failure
    low, high = (f"{100 * end:.3f}" for end in (low, high))
    assert low == high
    finished = certified.finished
    assert finished is not None
    before, after = finished.trained_total_variation.value, finished.total_variation.value
    networks = {task.name for panel in SURVEY.values() for task in panel.tasks(DEFAULT)}
    return [
        f"{math.floor(math.comb(1024, 4) / 1e9)} billion inputs",
        f"at most {proof.MOST_INPUTS:,} inputs",
        f"above {finish.MOST_LOSS} times",
        f"fails on {low} % of inputs",
        f"from its weights in {duration(saved().read(run(FINISHED_CERTIFICATE)).seconds)}",
        f"from {before:.3f} to {after:.3f}",
        f"trains {len(networks)} small networks",
    ]


def filters() -> Phrases:
    """Of the exponent, and of the harder task."""
    logits = harder_task.centred(-np.log(np.arange(1, 9)))
    code = harder_task.sufficient_code(10**6, logits, 0.01)
    return [
        f"κ(k) ≈ 1 + {10**4 * (kappa(100) - 1):.2f}/k²",
        "KL ≤ 0.01 nats",
        "n = 10⁶",
        f"d + d' = {code.width} + {code.dprime} ",
        f"takes {harder_task.direct_width(10**6, logits, 0.01):,}.",
    ]


IN_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
_SEEDS = {n: IN_WORDS[seeds] for (n, _), seeds in width.TASKS.items() if seeds in IN_WORDS}


def _most_often(law: Row) -> tuple[str, ...]:
    """The network that fails most often compared with the law: ratio, n, k, d, bits and best."""
    found = re.search(
        r"most often, (\S+) times, at n = (\S+), k = (\d+), d = (\d+), where .* has (\S+) bits and "
        r"(\d+) are",
        law.limit,
    )
    assert found
    return found.groups()


def _caption() -> Phrases:
    """Of the figure of the width law."""
    ratio, n, *_ = _most_often(next(row for row in ledger(CLAIMS, saved()) if row.key == "12b"))
    return [f"with {n} tokens at small widths they fail up to {float(ratio):.1f} times as often"]


def reproduce() -> Phrases:
    """Networks on the width law that were measured as other tasks."""
    largest = max(width.TASKS)[0]
    others = sum(recipe.n < largest for recipe in width.recipes(DEFAULT))
    return [f"networks of {largest:,} tokens", f"other {others}"]


def readme() -> Phrases:
    """Of the width law, rounded from the ledger."""
    rows = {row.key: row for row in ledger(CLAIMS, saved())}
    said = {key: row.finding.replace("−", "-") for key, row in rows.items()}
    _, *often = _most_often(rows["12b"])
    largest = re.search(
        r"trained at n = (\S+), k = (\d+) .*? fails? (.*?) times", rows["12b"].limit
    )
    kept = re.search(r"rates of (\S+) down to (\S+) they fail (\S+) to (\S+) times", said["12b"])
    predicted = re.search(r"of (\d+) of the (\d+) .* fail (\S+ to \S+ times) as often", said["E"])
    off = re.search(r"from noise they do not keep it at .* up to (\d+) times", rows["12b"].limit)
    keeps = {2.0: "twice"}[width.KEEPS]
    assert off
    assert largest
    assert kept
    assert predicted
    most, least, low, high = map(float, kept.groups())
    assert least < 1e-6
    keeping = said["12b"].partition(": from")[0]
    tokens = [int(_plain(n)) for n in re.findall(r"\(([\d,]+), \d+\)", keeping)]
    return [
        f"a clamp fail {low:.1f} to {high:.1f} times as often",
        f"on one input in {IN_WORDS[round(1 / most)]} down to less than one in a million",
        f"from n = {min(tokens):,} to {max(tokens):,} they fail at most {keeps} as often",
        *_caption(),
        "with {} tokens and k = {} at d = {}, where a token has {} bits and {} are".format(*often),
        "of a language model's {} tokens, with k = {}, fails {} times".format(*largest.groups()),
        f"starts from noise, networks fail up to {off[1]} times as often",
        f"Networks of up to {max(tokens):,} tokens fail as often as their masks say",
        "{} of {} with a layer that starts as a clamp {}".format(*predicted.groups()),
        f"rarer than 1 in {math.floor(1e-3 / width.UNFORESEEN)},000",
        "Python 3.11",
        "May 2026",
    ]


# the pages of which something is stated; there is nothing to be stated on others
STATED: Mapping[str, Callable[[], Phrases]] = {
    "README": readme,
    "analysis": analysis,
    "benchmark": lambda: [f"at least {matching.FOUND}", f"on {activations.INPUTS:,} inputs"],
    "certify": lambda: [f"the {math.comb(512, 3) / 1e6:.0f} million inputs"],
    "commands": lambda: [f"| {command_line.INTERRUPTED} |"],
    "faq": lambda: [f"{width.VOCABULARY:,} tokens", f"{command_line.INTERRUPTED} means"],
    "filters": filters,
    "findings": findings,
    "index": _caption,
    "main_job": lambda: [
        f"nominal level 1 − {power_of_ten(NOMINAL_LEVEL)}",
        f"probability below {power_of_ten(MOST_FALSE_ALARM)}",
    ],
    "reproduce": reproduce,
    "statistics": lambda: [f"A rate of {power_of_ten(min(width_against_error.TARGETS))}"],
    "training": lambda: [
        f"more than {TOKENS_A_STEP} tokens",
        f"from {min(width.TASKS)[0]} tokens to {max(width.TASKS)[0]:,}",
    ],
    "width_law": lambda: [
        "{1} coordinates for {0:,} tokens".format(*SHAPES[Model.GPT2_SMALL]),
    ],
}
