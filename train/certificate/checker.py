"""Check a certificate: python -m train.certificate.checker WEIGHTS CERTIFICATE

Written apart from `normal_form`, `levels`, `boxes`. Exit code 0, 1 at the first claim that fails, 2
for bad input. A computed value is off by at most `error`, (operations on a path) x 2^-52 x (the
same in absolute values), or by nothing: sums of multiples of 2^-p below 2^(53-p) are exact.
"""

import base64
import hashlib
import itertools
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

INF, NAMES = math.inf, ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
rational = np.vectorize(lambda x: Fraction(float(x)), [object])


def fingerprint(weights):
    """What identifies the weights: shapes and values, whatever the file."""
    named = [(f"{name} {x.shape} ", x.astype("<f8")) for name, x in sorted(weights.items())]
    return hashlib.sha256(b"".join(n.encode() + x.tobytes() for n, x in named)).hexdigest()


def grid(x):
    """The largest power of two, at most 1, that divides every entry."""
    bits, exponent = np.frexp(np.append(x, 1.0))
    bits = (bits * 2.0**53).astype(np.int64)
    lowest = np.frexp((bits & -bits).astype(float))[1] - 54
    return float(np.ldexp(1.0, int((exponent + lowest)[bits != 0].min())))


def top(term, count):  # rows of -inf are not there
    largest = -np.sort(-term, axis=0)[:count]
    return np.where(np.isinf(largest), 0.0, largest).sum(axis=0)


class Network:
    """The normal form of the weights under the certificate's owners, signs and reference."""

    def __init__(self, weights, cert):
        self.w = w = {name: tensor.astype(float) for name, tensor in weights.items()}
        (n, d), h, k, c = w["W_E"].shape, len(w["b_in"]), int(cert["k"]), float(cert["c"])
        packed = np.frombuffer(base64.b64decode(cert["owners"]), np.uint8)
        own = self.own = np.unpackbits(packed, count=n * h).reshape(n, h).astype(bool)
        self.k, self.c, sign = k, c, np.array(cert["sign"], float)
        q, g, self.typical = (np.array(cert["reference"][x], float) for x in ("q", "g", "typical"))
        if set(sign) - {1.0, -1.0} or len(sign) != h or not (1 <= k <= n and 1 <= c < INF):
            raise ValueError("sizes or signs do not fit the weights")
        flip, size = sign < 0, {name: np.abs(tensor) for name, tensor in w.items()}
        self.read, self.bias = w["W_E"] @ w["W_in"] * sign, w["b_in"] * sign
        self.cost = -(w["W_out"] @ w["W_U"])
        self.direct = w["W_E"] @ w["W_U"] + self.read[:, flip] @ self.cost[flip] - g[:, None]
        self.constant = self.bias[flip] @ self.cost[flip] + w.get("b_U", 0.0)
        self.constant += w.get("b_out", np.zeros(d)) @ w["W_U"]
        # the same in absolute values: y_u at most `reach`, every sum below at most `whole`
        read, cost = size["W_E"] @ size["W_in"], size["W_out"] @ size["W_U"] + np.abs(q)[:, None]
        reach = k * c * (read.max(axis=0) + np.abs(self.typical)) + size["b_in"]
        whole = reach @ cost * (k + 4.0) + size["b_in"][flip] @ cost[flip] + size.get("b_U", 0.0)
        whole += size.get("b_out", np.zeros(d)) @ size["W_U"]
        direct = size["W_E"] @ size["W_U"] + read[:, flip] @ cost[flip] + np.abs(g)[:, None]
        whole = (whole + k * c * direct.max(axis=0)).max()
        step = math.prod(map(grid, [*w.values(), q, g, self.typical])) * grid(c) ** 2
        share = (3 * d + 4 * h + 4 * k + 99) * 2.0**-51
        self.errors, self.q = (share * (whole + 1e-250), share * (reach + 1e-250)), q
        self.error, self.y_error = (x * (not whole <= 2.0**51 * step > 1e-250) for x in self.errors)
        # over all inputs: the largest y_u when u is hit, and y_u's range when it is missed
        self.most = lambda x: np.maximum(x, c * x)  # of alpha x over alpha in [1, c]
        high, low = self.most(self.read), -self.most(-self.read)
        with_token = np.where(high >= np.sort(high, 0)[-k], top(high, k), high + top(high, k - 1))
        self.hit = np.where(own, with_token, -INF).max(axis=0) + self.bias + self.y_error
        missed = self.bias - top(np.where(own, -INF, -low), k) - self.y_error
        self.missed_low = np.where((~own).sum(axis=0) < k, INF, missed)
        self.missed_high = top(np.where(own, -INF, high), k) + self.bias + self.y_error

    def margins(self):
        """If all gates hold: at most l_a - l_t where t misses at least 1, 2, ... bits; at least the
        difference of two members, and of a member and a covered token."""
        even = np.where(self.own, self.typical, self.read)
        over = np.maximum(top(self.most(-even), self.k) - self.bias, 0.0)[:, None]
        under = np.maximum(top(self.most(even), self.k) + self.bias, 0.0)[:, None]
        missed = [np.where(np.isinf(f), 0.0, f) for f in (self.missed_low, self.missed_high)]

        def upper(at, sign):
            """The largest sign x l_t of the tokens `at`: as members, and by missing bits."""
            own, column = self.own[at].T, np.arange(len(at))
            rho = sign * (self.cost[:, at] - self.q[:, None])
            far = np.where(own, 0.0, rho)
            base = sign * self.constant[at] - self.bias @ far
            worse = np.maximum(np.maximum(far, 0.0) * under, np.maximum(-far, 0.0) * over)
            up = self.most(sign * self.direct[:, at] - even @ far) + self.own @ worse
            itself, up[at, column] = up[at, column].copy(), -INF
            found, other = [base + itself + top(up, self.k - 1)], base + top(up, self.k)
            can = own & np.isfinite(self.missed_low)[:, None]
            taken = np.maximum(*(-rho * f[:, None] for f in missed))
            taken = -np.sort(-np.where(can, taken, -INF), axis=0)
            for s in range(int(self.own.sum(axis=1).max()) + 1):
                found.append(np.where(can.sum(axis=0) < s, -INF, other + taken[:s].sum(axis=0)))
            return [bound.max() for bound in found]

        blocks = [np.arange(len(self.own))[i : i + 256] for i in range(0, len(self.own), 256)]
        most, least = (np.max([upper(at, x) for at in blocks], 0) + self.error for x in (1.0, -1.0))
        by_bits = np.maximum.accumulate(most[:1:-1])[::-1]
        return -least[0] - by_bits, most[0] + least[0], most[0] + least[1]

    def hidden(self, tokens, alpha, units=slice(None)):
        """Exact x, and exact z of those units, at one input."""
        distinct = set(tokens) & set(range(len(self.own)))
        if not len(distinct) == len(tokens) == self.k or not all(1 <= a <= self.c for a in alpha):
            raise ValueError("not an input of k distinct tokens with alpha in [1, c]")
        x = rational(np.array(alpha)) @ rational(self.w["W_E"][list(tokens)])
        return x, x @ rational(self.w["W_in"][:, units]) + rational(self.w["b_in"][units])

    def replay(self, tokens, alpha, wanted):
        """Exact logits of the wanted tokens at one input."""
        w, (x, z) = self.w, self.hidden(tokens, alpha)
        x = x + np.array([max(y, Fraction(0)) for y in z]) @ rational(w["W_out"])
        x = (x + rational(w.get("b_out", np.zeros(1)))) @ rational(w["W_U"][:, wanted])
        return x + rational(w.get("b_U", np.zeros(len(self.own)))[wanted])

    def enumerate(self, level, margin):
        """Number of inputs with a covered token. Asserts l_a - l_t >= margin, t missing `level`."""
        every, covered = itertools.combinations(range(len(self.own)), self.k), 0
        while len(tokens := np.array(list(itertools.islice(every, 256)), int)):
            missing = (~self.own[tokens].any(axis=1)) @ self.own.T.astype(np.float32)
            covered += int(((missing == 0).sum(axis=1) > self.k).sum())
            boxes = [tokens, missing >= level, np.ones(tokens.shape), np.full(tokens.shape, self.c)]
            while margin is not None and len(boxes[0]):
                unclear = ~(self.bound(*boxes) >= margin)
                tokens, others, low, high = (x[unclear] for x in boxes)
                half = np.eye(self.k)[(high - low).argmax(axis=1)] * (high - low) / 2
                assert all([len(tokens) < 2**14, *(half.max(axis=1) > 1e-9)]), "not proved"
                boxes = [np.tile(tokens, (2, 1)), np.tile(others, (2, 1))]
                boxes += [np.append(low, low + half, 0), np.append(high - half, high, 0)]
        return covered

    def bound(self, tokens, others, low, high):
        """For each box, at most the smallest l_a - l_t over its members a and the `others` t."""
        read, row, cost = self.read[tokens], np.arange(len(tokens))[:, None], self.cost
        centre, radius = (high + low)[..., None] / 2, (high - low)[..., None] / 2
        z = (centre * read).sum(axis=1) + self.bias
        width = (radius * np.abs(read)).sum(axis=1) + self.errors[1]
        on, excess = z > 0, np.maximum(width - np.abs(z), 0.0)
        value = self.constant + (centre * self.direct[tokens]).sum(axis=1) - (on * z) @ cost
        slope = radius * (self.direct[tokens] - (on[:, None] * read) @ cost)
        slope -= slope[row, :, tokens].mean(axis=1)[..., None]
        spread = np.abs(slope).sum(axis=1) + 4.0 * self.errors[0]
        below = value - spread - excess @ np.maximum(cost - self.q[:, None], 0.0)
        above = value + spread + excess @ np.maximum(self.q[:, None] - cost, 0.0)
        return below[row, tokens].min(axis=1) - np.where(others, above, -INF).max(axis=1)


def check(weights, cert):
    """Yield (what is claimed, whether it holds), claim by claim."""
    yield "these are the weights", fingerprint(weights) == cert["weights"]
    net, claims = Network(weights, cert), cert["claims"]
    hit, missed = net.hit <= 0, net.missed_low >= 0
    off, on = (np.array(claims[name], bool) for name in ("hit", "missed"))
    yield f"{off.sum()} units off when hit", bool(hit[off].all())
    yield f"{on.sum()} units on when missed", bool(missed[on].all())
    for unit, tokens, alpha in claims["gate_counterexamples"]:
        y = int(cert["sign"][unit]) * net.hidden(tokens, alpha, [unit])[1][0]
        yield f"unit {unit} errs at an input", bool(y > 0 if net.own[tokens, unit].any() else y < 0)
    for s, tokens, alpha, member, other, most in claims["counterexamples"]:
        lead = np.subtract(*net.replay(tokens, alpha, [member, other]))
        bits = (net.own[other] & ~net.own[tokens].any(axis=0)).sum()
        fits = member in tokens and other not in tokens and bits >= s
        yield f"margin {s} is at most {most}", bool(fits and lead <= Fraction(most))
    if structure := claims["structure"]:
        low, spread, gap = net.margins()
        margins = np.array([INF if x is None else x for x in structure["margins"]])
        yield "gates, margins", bool(hit.all() and missed.all() and (low >= margins).all())
        yield "member_spread", bool(spread <= structure["member_spread"])
        yield "covered_gap", bool(gap <= structure["covered_gap"])
        leak = (len(net.own) - net.k) * math.exp(-low[0]) / net.k
        sharp = math.exp(-gap) > 1.001 * net.k / (2 * net.k + 1) and leak < 0.999 / (2 * net.k + 1)
        yield "inputs fail where a token is covered, only", sharp or not structure["sharp"]
    if every := claims["enumeration"]:
        covered = net.enumerate(every["level"], every["margin"])
        yield f"all inputs, of which {covered} have a covered token", covered == every["covered"]


def main(*paths):
    if len(paths) != 2 or not all(Path(path).is_file() for path in paths):
        sys.exit(print("error:", __doc__.splitlines()[0], file=sys.stderr) or 2)
    tensors = {name: x for name, x in load_file(paths[0]).items() if name in NAMES}
    for claim, holds in check(tensors, json.loads(Path(paths[1]).read_text())):
        print("proved  " if holds else "REJECTED", claim, flush=True)
        if not holds:
            sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
