"""The network in its normal form, and what float64 and the certified arithmetic round."""

import math
from fractions import Fraction
from functools import cached_property

import numpy as np

from .reading import INF, ROUNDOFF


def exact(x):
    """The whole numbers that floats are times a power of two, and that power."""
    ratios = [x.as_integer_ratio() for x in np.ravel(x).tolist()]
    power = max(below for _, below in ratios)
    whole = [above * (power // below) for above, below in ratios]
    return np.array(whole, dtype=object).reshape(np.shape(x)), power


def affine(x, factor, add):
    """x @ factor + add, all of them whole numbers and a power."""
    (x, a), (factor, b), (add, c) = x, factor, add
    return x @ factor * c + add * (a * b), a * b * c


def grid(x, axis=None):
    """The largest power of two, at most 1, that divides every entry (along an axis)."""
    bits, exponent = np.frexp(x)
    bits = (bits * 2.0**53).astype(np.int64)
    lowest = np.frexp((bits & -bits).astype(float))[1] - 54 + exponent
    return np.ldexp(1.0, np.where(bits == 0, 0, np.minimum(lowest, 0)).min(axis=axis))


def top(term, count):
    """Sum of the `count` largest rows of each column; rows of -inf are not there."""
    if count == 0:
        return np.zeros(term.shape[1:])
    largest = -np.partition(-term, min(count, len(term)) - 1, axis=0)[:count]
    return np.where(np.isneginf(largest), 0.0, largest).sum(axis=0)


class Network:
    """The normal form under the certificate's owners, signs and reference.

    Logits are in multiples of `scale`: with W_U a multiple of a 0, 1, -1 matrix times powers of
    two, as in the exact constructions, nothing is rounded whatever the multiple.
    """

    def __init__(self, weights, cert):
        self.w = w = {name: tensor.astype(float) for name, tensor in weights.items()}
        own, k, c = cert["own"], cert["k"], float(cert["c"])
        (n, d), h, sign = w["W_E"].shape, len(w["b_in"]), np.array(cert["sign"], float)
        self.own, self.k, self.c, self.n, self.h, self.sign = own, k, c, n, h, sign
        W_U, b_U, b_out = w["W_U"], w.get("b_U", np.zeros(n)), w.get("b_out", np.zeros(d))
        sizes = np.abs(W_U[W_U != 0.0])
        self.scale = float(sizes.min()) if sizes.size and not b_U.any() else 1.0
        self.scale = self.scale if 2.0**-100 < self.scale < 2.0**100 else 1.0
        if not np.isin(np.frexp(W_U / self.scale)[0], (0.0, 0.5, -0.5)).all():
            self.scale = 1.0
        W_U, flip = W_U / self.scale, sign < 0
        q, g, typical = (np.array(cert[x], float) for x in ("q", "g", "typical"))
        q, g, self.typical = q / self.scale, g / self.scale, typical
        self.read, self.bias = w["W_E"] @ w["W_in"] * sign, w["b_in"] * sign
        cost = -(w["W_out"] @ W_U)
        self.rho = cost - q[:, None]
        self.lean = w["W_E"] @ W_U + self.read[:, flip] @ cost[flip] - g[:, None]
        self.constant = self.bias[flip] @ cost[flip] + b_out @ W_U + b_U
        # the same in absolute values: y_u at most `reach`, every sum of a logit at most `whole`
        size = {name: np.abs(tensor) for name, tensor in w.items()} | {"W_U": np.abs(W_U)}
        read, cost = size["W_E"] @ size["W_in"], size["W_out"] @ size["W_U"] + np.abs(q)[:, None]
        reach = k * c * (read.max(axis=0) + np.abs(typical)) + size["b_in"]
        past = size["W_E"] @ size["W_U"] + read[:, flip] @ cost[flip] + np.abs(g)[:, None]
        whole = reach @ cost * (2 * k + 8.0) + 2 * k * c * past.max(axis=0) + np.abs(b_U)
        whole = (whole + size["b_in"][flip] @ cost[flip] + np.abs(b_out) @ size["W_U"]).max()
        share = (3 * d + 4 * h + 4 * k + 99) * 2.0**-51
        step = np.minimum(grid(w["W_E"]) * grid(w["W_in"], 0) * grid(c), grid(w["b_in"][None], 0))
        step = np.minimum(step, grid(typical[None], 0))
        exact = (reach <= 2.0**51 * step) & (step > 1e-250)
        self.y_error = np.where(exact, 0.0, share * (reach + 1e-250))
        tables = [*(w[x] for x in w if x != "W_U"), W_U, q, g, typical, np.array([c, c])]
        step = math.prod(float(grid(x)) for x in tables) * float(grid(c))
        # what underflows may still be multiplied
        tiny = 1e-250 * (1.0 + k * c) * (1.0 + reach.max()) * (1.0 + cost.max())
        exact = whole <= 2.0**51 * step and step > 1e-250
        self.error = 0.0 if exact else share * (whole + tiny)
        self.hit, self.missed_low, self.missed_high = self.ranges()
        self.z_round, self.logit_round = self.rounding(ROUNDOFF[cert["arithmetic"]], d)

    def most(self, x):
        """The largest alpha x over alpha in [1, c]."""
        return np.maximum(x, self.c * x)

    def ranges(self):
        """Over all inputs: the largest y_u when u is hit, and y_u's range when it is missed."""
        own, k, high, low = self.own, self.k, self.most(self.read), -self.most(-self.read)
        kth = -np.partition(-high, k - 1, axis=0)[k - 1]
        with_token = np.where(high >= kth, top(high, k), high + top(high, k - 1))
        hit = np.where(own, with_token, -INF).max(axis=0)
        least, most = -top(np.where(own, -INF, -low), k), top(np.where(own, -INF, high), k)
        least = np.where((~own).sum(axis=0) < k, INF, least)
        room, bias = self.y_error, self.bias
        return hit + bias + room, least + bias - room, most + bias + room

    def rounding(self, unit, d):
        """Bounds on what a forward pass of that unit roundoff errs: of every z_u, and of a logit.

        A sum of m products errs by at most gamma_m times the sum of their sizes and m underflows
        (Higham 2002, 3.1), in any order; gamma_a + gamma_b + gamma_a gamma_b <= gamma_(a+b).
        """
        if unit == 0.0:
            return np.zeros(self.h), 0.0

        def gamma(m):
            return m * unit / (1.0 - m * unit) * (1.0 + 2.0**-40) if m * unit < 0.5 else INF

        size = {name: np.abs(tensor) for name, tensor in self.w.items()}
        W_out, W_U = size["W_out"], size["W_U"]
        k, h, c, tiny = self.k, self.h, self.c * (1.0 + 2.0 * unit), 2.0**-120
        x = top(c * size["W_E"], k)
        z = top(c * (size["W_E"] @ size["W_in"]), k) + size["b_in"]
        z_round = gamma(k + d + 6) * z + (d + k) * tiny * (1.0 + size["W_in"].sum(axis=0))
        # what a unit can be in the pass: no more than its sizes
        f = z + z_round
        after = f @ W_out + size.get("b_out", 0.0)
        sizes = top(c * (size["W_E"] @ W_U), k) + after @ W_U + size.get("b_U", 0.0)
        within = (z_round @ W_out) @ W_U * (1.0 + gamma(h + d + 8))
        tiny = tiny * (d + h + k) * (1.0 + W_U.sum(axis=0) * (1.0 + W_out.sum()))
        found = float((gamma(k + h + 2 * d + 12) * sizes + within + tiny).max()) * (1.0 + 2.0**-30)
        largest = max(x.max(), f.max(), (x + after).max(), sizes.max(), self.c)
        return (z_round * (1.0 + 2.0**-30), found) if largest < 2.0**126 else (z_round + INF, INF)

    def upper(self, at, sign):
        """The largest sign x logit of tokens `at`: as members, and missing 0, 1, 2, ... bits, -inf
        where they cannot; [2 + bits, at].

        A token's own units cost it rho f, f in [0, hit] when hit and [missed_low, missed_high] when
        missed. The other units are followed: where f_u were y_u with `typical` for the owners'
        reads, it would be linear in alpha; an owner among the members adds at most its price.
        """
        own, column, k = self.own[at].T, np.arange(len(at)), self.k
        hit = np.where(self.own.any(axis=0), np.maximum(self.hit, 0.0), 0.0)[:, None]
        even = np.where(self.own, self.typical, self.read)
        least, most = (top(self.most(s * even), k) + s * self.bias for s in (-1.0, 1.0))
        under, over = np.maximum(most, 0.0)[:, None], np.maximum(hit[:, 0] + least, 0.0)[:, None]
        can_miss = np.isfinite(self.missed_low)[:, None]
        low, high, short = (
            np.where(can_miss, np.maximum(x, 0.0)[:, None], 0.0)
            for x in (self.missed_low, self.missed_high, -self.missed_low)
        )
        rho = sign * self.rho[:, at]
        far, near = np.where(own, 0.0, rho), np.where(own, rho, 0.0)
        price = np.maximum(np.maximum(far, 0.0) * under, np.maximum(-far, 0.0) * over)
        up = self.most(sign * self.lean[:, at] - even @ far) + self.own @ price
        itself, up[at, column] = up[at, column].copy(), -INF
        on_hit = np.maximum(-near, 0.0) * hit
        base = sign * self.constant[at] - self.bias @ far + short[:, 0] @ np.maximum(-far, 0.0)
        base = base + on_hit.sum(axis=0)
        change = np.maximum(-near * low, -near * high) - on_hit
        change = -np.sort(-np.where(own & can_miss, change, -INF), axis=0)
        bounds = [base + itself + top(up, k - 1), base + top(up, k)]
        for more in change[: self.own.sum(axis=1).max()]:
            bounds.append(bounds[-1] + more)
        return np.array(bounds)

    @cached_property
    @np.errstate(all="ignore")
    def levels(self):
        """`upper` of all tokens for both signs, rounding counted, in multiples of scale."""
        blocks = [np.arange(self.n)[i : i + 256] for i in range(0, self.n, 256)]
        up, down = (np.hstack([self.upper(x, s) for x in blocks]) for s in (1.0, -1.0))
        return up + self.error, down + self.error

    @np.errstate(all="ignore")
    def structure(self):
        """Without enumeration, in multiples of scale: at most l_a - l_t for members a and tokens t
        that miss at least 0, 1, 2, ... bits; at least the difference of two members, and of a
        member and a covered token.
        """
        most, least = (x.max(axis=1) for x in self.levels)
        by_bits = np.maximum.accumulate(most[:0:-1])[::-1]
        return -least[0] - by_bits, most[0] + least[0], most[0] + least[1]

    def hidden(self, tokens, alpha, units=slice(None)):
        """Exact x, and exact z of those units, at one input."""
        w, nothing = self.w, (0, 1)
        x = affine(exact(np.array(alpha, float)), exact(w["W_E"][list(tokens)]), nothing)
        return x, affine(x, exact(w["W_in"][:, units]), exact(w["b_in"][units]))

    def replay(self, tokens, alpha, wanted):
        """Exact logits of the wanted tokens at one input."""
        w, (x, (z, power)) = self.w, self.hidden(tokens, alpha)
        x = affine((np.maximum(z, 0), power), exact(w["W_out"]), x)
        W_U, b_out, b_U = w["W_U"][:, wanted], w.get("b_out"), w.get("b_U", np.zeros(self.n))
        bias = exact(b_U[wanted])
        bias = bias if b_out is None else affine(exact(b_out), exact(W_U), bias)
        found, power = affine(x, exact(W_U), bias)
        return [Fraction(int(logit), power) for logit in found]
