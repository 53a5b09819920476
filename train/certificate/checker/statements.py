"""Proving the statements of one certificate."""

import math
import sys
import time
from fractions import Fraction
from functools import cached_property

import numpy as np

from .enumeration import Enumeration
from .inputs import ByLevels
from .network import Network
from .prefixes import Prefixes
from .reading import ENUMERATION, INF, MOST_INPUTS, PROBABILITIES, STRUCTURE, fingerprint, held


class Checker:
    """Proves the statements of one certificate.

    counted, ranked: what `run` of `inputs` and of `Prefixes` found, by way and by level, if known.
    """

    def __init__(self, weights, cert, jobs=1, progress=None, counted=None, ranked=None):
        self.weights, self.net, self.cert = weights, Network(weights, cert), cert
        self.jobs, self.progress = jobs, progress
        self.counted, self.ranked = dict(counted or {}), dict(ranked or {})
        self.every = math.comb(self.net.n, self.net.k)
        name = fingerprint(weights, cert["k"], cert["c"], cert["arithmetic"])
        self.known = name == cert["weights"] and held(weights, cert["arithmetic"])

    @cached_property
    @np.errstate(all="ignore")
    def structure(self):
        """Margins by missing bits, member spread and covered gap; fractions, rounding counted."""
        slack, scale = 2.0 * self.net.logit_round, Fraction(self.net.scale)

        def exact(x, side):
            if math.isnan(x) or not math.isfinite(slack):
                return side * INF
            found = Fraction(x) * scale + side * Fraction(slack) if math.isfinite(x) else x
            return found if math.isinf(found) or abs(found) < 2**1000 else side * INF

        margins, spread, gap = self.net.structure()
        return [exact(x, -1) for x in margins.tolist()], exact(spread, 1), exact(gap, 1)

    def inputs(self, by):
        """All inputs, each with its own bounds."""
        if by == STRUCTURE:
            return ByLevels(self.net)
        return Enumeration(self.net, self.cert["precision"])

    def sums(self, by):
        """The sums over all inputs, found in this way."""
        if by not in self.counted:
            self.counted[by] = self.inputs(by).run(self.jobs, self.progress)
        return self.counted[by]

    def covered(self):
        """How many inputs are covered, and by how many tokens together."""
        ways = [x["by"] for x in self.cert["statements"] if x["kind"] in PROBABILITIES]
        return self.sums((*ways, STRUCTURE)[0])[1:3].tolist()

    def between(self, kind, by):
        """Bounds on the probability of failure or on the mean total variation."""
        if self.every > MOST_INPUTS:
            return 0.0, 1.0
        sums, room = self.sums(by), 1e-9 * self.net.k if by == ENUMERATION else 1e-12
        low, high = (sums[3:5] if kind == "failure" else sums[5:]) / self.every
        return low * (1.0 - room), min(high * (1.0 + room), 1.0)

    def outranks(self, level, margin, by):
        """Whether it is proved; never where no token can miss so many bits."""
        if by == STRUCTURE:
            return INF > [*self.structure[0], INF][level] >= Fraction(margin)
        if not self.ranked.get(level, -INF) >= margin:
            search = Prefixes(self.net, level, margin)
            self.ranked[level] = search.run(self.jobs, self.progress)
        return INF > self.ranked[level] >= margin

    def prove(self, x):
        """What one statement says, and whether it holds."""
        net, kind, tokens, room = self.net, x["kind"], x.get("tokens"), 2.0 * self.net.logit_round
        if kind in ("hit", "missed"):
            up = kind == "hit"
            holds = net.hit + net.z_round <= 0.0 if up else net.missed_low - net.z_round >= 0.0
            says = f"{len(x['units'])} of {net.h} units are {'off' if up else 'on'} whenever "
            says += f"{'an' if up else 'no'} active token owns them"
            holds = holds[x["units"]].all()
        elif kind == "gate_errs":
            unit = x["unit"]
            (z, power) = net.hidden(tokens, x["alpha"], [unit])[1]
            y = Fraction(int(net.sign[unit]) * z[0], power)
            y, room = y if net.own[tokens, unit].any() else -y, float(net.z_round[unit])
            says = f"unit {unit} does not tell whether tokens {tokens} own it"
            holds = math.isfinite(room) and y > Fraction(room)
        elif kind == "outranks":
            who = f"that misses {bits_or_more(x['missing'])}"
            if x["margin"] > 0.0:
                says = f"every member outranks every token {who} by at least {x['margin']:.6g}"
            else:
                says = f"no member trails a token {who} by more than {-x['margin']:.6g}"
            says += f" ({x['by']})"
            holds = self.outranks(x["missing"], x["margin"], x["by"])
        elif kind == "margin_at_most":
            member, other = x["member"], x["other"]
            lead = np.subtract(*net.replay(tokens, x["alpha"], [member, other]))
            bits = (net.own[other] & ~net.own[tokens].any(axis=0)).sum()
            says = f"a token that misses {bits_or_more(x['missing'])} trails a member by at most "
            says += f"{x['at_most']:.6g} where tokens {tokens} are active"
            holds = member in tokens and other not in tokens and bits >= x["missing"]
            holds = (
                holds and math.isfinite(room) and lead + Fraction(room) <= Fraction(x["at_most"])
            )
        elif kind in ("member_spread", "covered_gap"):
            who = "two members" if kind == "member_spread" else "a member and a covered token"
            says = f"logits of {who} differ by at most {x['at_most']:.6g}"
            holds = self.structure[1 + (kind == "covered_gap")] <= x["at_most"]
        elif kind == "covered":
            says = f"P(covered) = {x['inputs'] / self.every:.9g}: {x['inputs']:,} of {self.every:,}"
            holds = self.covered() == [x["inputs"], x["covered_tokens"]]
        else:
            (low, high), found = x["between"], self.between(kind, x["by"])
            says = "P(failure)" if kind == "failure" else "E TV"
            says += f" is in [{low:.6g}, {high:.6g}] ({x['by']})"
            holds = low <= found[0] and found[1] <= high
        return says, bool(holds)

    def verdicts(self):
        """(statement, sentence, whether it is proved) one by one; that of the weights first."""
        what = (
            f"the certificate is of these weights, k and c, in {self.cert['arithmetic']} arithmetic"
        )
        yield None, what, self.known
        if self.known:
            for x in self.cert["statements"]:
                yield x, *self.prove(x)


def bits_or_more(count):
    """In words."""
    return "a bit or more" if count == 1 else f"{count} bits or more"


def progress():
    """Tells a person at a terminal how much is done and how long the rest takes."""
    started = time.monotonic()

    def tell(done, every):
        left = (time.monotonic() - started) * (every - done) / done
        end = "\n" if done == every else ""
        print(f"\r{done:,} of {every:,}, {left:.0f} s left ", end=end, file=sys.stderr)

    return tell if sys.stderr.isatty() else None
