"""Check a certificate of a network's weights: checker.py WEIGHTS CERTIFICATE [--jobs N]

WEIGHTS is a safetensors file, CERTIFICATE a JSON file. Every statement of the certificate is proved
anew from the weights and printed. Exit code 0: all were proved, and one says that members outrank
other tokens; 1: one is false or could not be proved, or none is about ranking; 2: bad input.

An input is any k of the n tokens, its members, each with a coefficient alpha in [1, c]. A token
misses the units that it owns and no member owns; it is covered if it misses none and is no member.
An input fails when softmax gives its members less than (k/(k+1) + 1)/2. Probabilities are over
uniform inputs and alpha. With arithmetic "real" all is about the weights in exact arithmetic; with
"float32" or "bfloat16" it holds for the logits of every forward pass in that format or a wider one,
whatever the order of each sum, fused or not, subnormals flushed or not. The softmax is exact.

Hidden unit u, with a sign s_u of the certificate's choice, has y_u = bias_u + sum_j alpha_j read_ju
and f_u = ReLU(y_u). As ReLU(z) = z + ReLU(-z), for any signs

    logit_t = constant_t + sum_j alpha_j direct_jt - sum_u cost_ut f_u.

Floats are used with a bound on their rounding, which is 0 where all sums are exact: in float64
those of multiples of 2^-p below 2^(53-p). What overflows becomes NaN or infinite, and proves
nothing.
"""

import argparse
import base64
import hashlib
import itertools
import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cached_property
from pathlib import Path

for library in ("OPENBLAS", "MKL", "OMP"):  # one thread for each of --jobs
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (the threads are set first)

SCHEMA, INF, LARGEST = 2, math.inf, 2.0**150
SHAPES = {"W_E": "nd", "W_in": "dh", "b_in": "h", "W_out": "hd", "W_U": "dn"}
AXES = {**SHAPES, "b_out": "d", "b_U": "n"}
DTYPES = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
ROUNDOFF = {"real": 0.0, "float32": 2.0**-24, "bfloat16": 2.0**-8}
KINDS = {
    "hit": ("units",),
    "missed": ("units",),
    "gate_errs": ("unit", "tokens", "alpha"),
    "outranks": ("missing", "by", "margin"),
    "margin_at_most": ("missing", "tokens", "alpha", "member", "other", "at_most"),
    "member_spread": ("at_most",),
    "covered_gap": ("at_most",),
    "covered": ("inputs", "covered_tokens"),
    "failure": ("by", "between"),
    "total_variation": ("by", "between"),
}
STRUCTURE, ENUMERATION = "structure", "enumeration"
MOST_INPUTS, PATIENCE, BATCH, KEPT = 2**26, 2**14, 128, 48


class BadInput(Exception):
    """What is wrong with a file."""


def require(condition, what):
    if not condition:
        raise BadInput(what)


# ---- reading: nothing is believed before its type, length and range have been looked at


def parsed(text, what):
    def distinct(pairs):
        require(len(dict(pairs)) == len(pairs), f"{what} has a key twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=distinct, parse_constant=float)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} is not JSON: {error}") from None


def whole(low, high):
    return lambda x: type(x) is int and low <= x <= high


def real(low, high):
    return lambda x: type(x) in (int, float) and low <= x <= high and float(x) == x


def choice(options):
    return lambda x: type(x) is str and x in options


def listed(check, length=None):
    return lambda x: type(x) is list and length in (None, len(x)) and all(map(check, x))


def different(check):
    return lambda x: check(x) and len(set(x)) == len(x)


def fields(value, checks, what):
    """Require an object with just these fields, each as its check wants it."""
    require(type(value) is dict, f"{what} must be an object")
    odd = sorted(set(value) ^ set(checks))
    require(not odd, f"{what} must have {', '.join(checks)} and nothing else: {odd[:1]}")
    for name, check in checks.items():
        require(check(value[name]), f"{what}: {name} is of a wrong type, length or range")


@np.errstate(invalid="ignore")
def read_weights(content):
    """The tensors of a safetensors file, by name, as stored; bfloat16 as float32."""
    end = 8 + int.from_bytes(content[:8], "little")
    require(8 < end <= len(content), "weights: no safetensors file")
    header, data = parsed(content[8:end], "weights: header"), content[end:]
    require(type(header) is dict, "weights: header must be an object")
    header.pop("__metadata__", None)
    known = set(SHAPES) <= set(header) <= set(AXES)
    require(known, f"weights must have {', '.join(SHAPES)}, may have b_out and b_U, and no others")
    sizes: dict[str, int] = {}
    found, at, natural = {}, 0, listed(whole(0, 2**40))
    for name, entry in header.items():
        checks = {"dtype": choice(DTYPES), "shape": natural, "data_offsets": natural}
        fields(entry, checks, f"weights: {name}")
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        kind, shape = np.dtype(DTYPES[entry["dtype"]]), entry["shape"]
        fits = len(shape) == len(AXES[name]) and all(
            size == sizes.setdefault(letter, size) > 0
            for letter, size in zip(AXES[name], shape, strict=True)
        )
        require(fits, f"weights: {name} has a wrong shape")
        start, at = at, at + math.prod(shape) * kind.itemsize
        fits = entry["data_offsets"] == [start, at] and at <= len(data)
        require(fits, f"weights: {name} has a wrong place or length")
        raw = np.frombuffer(data[start:at], kind).reshape(shape)
        found[name] = (raw.astype("<u4") << 16).view("<f4") if kind == "<u2" else raw
        small = (np.abs(found[name].astype(float)) < LARGEST).all()
        require(small, f"weights: {name} must be finite, below 2^150")
    require(at == len(data), "weights: the file is longer than its tensors")
    require(len({entry["dtype"] for entry in header.values()}) == 1, "weights must have one dtype")
    return found


def fingerprint(weights, k, c, arithmetic):
    """What identifies the weights together with the task and the arithmetic."""
    digest = hashlib.sha256(f"{SCHEMA} {k} {float(c)!r} {arithmetic}".encode())
    for name, x in sorted(weights.items()):
        digest.update(f" {name} {x.dtype.str} {x.shape} ".encode() + x.tobytes())
    return digest.hexdigest()


def read_certificate(content, weights):
    """The certificate, every field of the right type, length and range; `own` holds its masks."""
    cert, (n, h) = parsed(content, "certificate"), (len(weights["W_E"]), len(weights["b_in"]))
    number, text = real(-LARGEST, LARGEST), lambda x: type(x) is str
    checks = {
        "schema": whole(SCHEMA, SCHEMA),
        "n": whole(n, n),
        "k": whole(1, n - 1),
        "c": real(1.0, LARGEST),
        "arithmetic": choice(ROUNDOFF),
        "weights": text,
        "owners": text,
        "sign": listed(lambda x: type(x) is int and x in (-1, 1), h),
        "q": listed(number, h),
        "g": listed(number, n),
        "typical": listed(number, h),
        "precision": real(1e-9, 1.0),
        "statements": lambda x: type(x) is list,
    }
    fields(cert, checks, "certificate")
    try:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(cert["owners"], validate=True), "u1"))
    except ValueError:
        raise BadInput("certificate: owners must be base64") from None
    fits = len(bits) == -(-n * h // 8) * 8 and not bits[n * h :].any()
    require(fits, f"certificate: owners must have {n} x {h} bits")
    cert["own"] = own = bits[: n * h].reshape(n, h).astype(bool)
    k, token, unit = cert["k"], whole(0, n - 1), whole(0, h - 1)
    few = math.comb(n, k) <= MOST_INPUTS
    every = {
        "units": different(listed(unit)),
        "unit": unit,
        "tokens": different(listed(token, k)),
        "alpha": listed(real(1.0, cert["c"]), k),
        "member": token,
        "other": token,
        "missing": whole(1, max(int(own.sum(axis=1).max()), 1)),
        "by": choice((STRUCTURE, ENUMERATION) if few else (STRUCTURE,)),
        "margin": number,
        "at_most": number,
        "inputs": whole(0, MOST_INPUTS if few else -1),
        "covered_tokens": whole(0, 2**62),
        "between": lambda x: listed(real(0.0, 1.0), 2)(x) and x[0] <= x[1],
    }
    for i, entry in enumerate(cert["statements"], start=1):
        kind = entry.get("kind") if type(entry) is dict else None
        require(choice(KINDS)(kind), f"statement {i}: kind must be one of {', '.join(KINDS)}")
        wanted = {name: every[name] for name in KINDS[str(kind)]}
        fields(entry, {"kind": choice(KINDS), **wanted}, f"statement {i}")
    return cert


# ---- the network in its normal form, and what float64 and the certified arithmetic round


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
        """The largest sign x logit of tokens `at`: as members, and missing 0, 1, 2, ... bits.

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
        return [bound.max() for bound in bounds]

    @np.errstate(all="ignore")
    def structure(self):
        """Without enumeration, in multiples of scale: at most l_a - l_t for members a and tokens t
        that miss at least 0, 1, 2, ... bits; at least the difference of two members, and of a
        member and a covered token.
        """
        blocks = [np.arange(self.n)[i : i + 256] for i in range(0, self.n, 256)]
        most, least = (np.max([self.upper(x, s) for x in blocks], 0) for s in (1.0, -1.0))
        most, least = most + self.error, least + self.error
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


# ---- inputs one by one: bounds over the box of alpha, then over halves where that is not enough


class Enumeration:
    """Inputs of a network, for a level and the margin wanted of it (0 and -inf for none).

    precision: a box is halved where more of an input's alpha is in doubt to fail; None to count
    covered inputs only. Single precision is used where its rounding is small enough.
    """

    def __init__(self, net, level, margin, precision):
        self.net, self.level, self.margin, self.precision = net, level, margin, precision
        rho, lean = net.rho.T * net.scale, net.lean * net.scale
        # what all tokens share is seen by no softmax
        constant = (net.constant - np.median(net.constant)) * net.scale
        # y_u is a sum of at most f, and at most `most`
        f = np.abs(net.bias) + net.k * net.c * np.abs(net.read).max(axis=0)
        most = np.maximum(top(net.most(net.read), net.k) + net.bias, 0.0) + 4.0 * net.y_error
        size = net.k * net.c * np.abs(lean).max() + np.abs(constant).max()
        size += (np.abs(rho) @ most).max()
        largest = max(size, f.max(), np.abs(rho).max(), np.abs(net.typical).max(), net.c)
        # an operation loses at most eps / 2 of what is added up by so many, or tiny in underflow
        steps = 2 * net.h + 5 * net.k + 32
        for self.dtype, eps, tiny in (("f4", 2.0**-23, 2.0**-70), ("f8", 2.0**-52, 2.0**-900)):
            self.y_error = 4.0 * net.y_error + (net.k + 9) * eps * f + tiny
            self.error = 4.0 * net.error * net.scale + 3.0 * steps * eps * size + tiny
            self.error += (np.abs(rho) @ self.y_error).max() + net.logit_round
            if self.error < 2.0**-6 and largest < 2.0**60:
                break
        self.threshold = 1.0 / (2 * net.k + 1)
        tables = net.read, -rho, lean, constant, net.bias, net.typical, self.y_error
        same = [np.ascontiguousarray(x, self.dtype) for x in tables]
        self.read, self.cost, self.lean, self.constant, self.bias, self.typical, self.room = same
        self.peak = np.abs(self.cost).max(axis=0)
        # where alpha is free: what each member adds
        centre, radius = self.sides(1.0, float(net.c))
        self.radius, self.least = radius, centre * self.lean - radius * np.abs(self.lean)
        self.adds = [centre * self.lean + radius * np.abs(self.lean), centre * self.read]
        self.adds += [radius * np.abs(x) for x in (self.read, self.read - self.typical)]
        # a box is halved along so many coefficients at a time; a narrow one's middle is rounded
        self.halved = min(net.k, 3) if net.c - 1.0 > 2.0**-18 * net.c else 0
        self.kept = min(net.n - net.k, KEPT)
        own = np.zeros((net.n, -(-net.h // 64) * 64), dtype=bool)
        own[:, : net.h] = net.own
        self.words = np.packbits(own, axis=1).view(np.uint64).T.copy()

    @np.errstate(all="ignore")
    def part(self, first):
        """Sums over all inputs whose smallest token is `first`, and their smallest margin if it is
        too small.

        Sums: inputs, those covered, covered tokens, bounds on failures and on total variation.
        """
        found, patience, batches = (np.zeros(7), INF), PATIENCE, self.batches(first)
        boxes: list[np.ndarray] = []
        tokens = next(batches, None)
        while tokens is not None or (boxes and len(boxes[0])):
            if tokens is not None and not (boxes and len(boxes[0]) >= BATCH):
                covered = self.covered(tokens)
                counts = len(tokens), np.count_nonzero(covered), covered.sum()
                found = both(found, (np.array([*counts, 0, 0, 0, 0], float), INF))
                inputs, tokens = tokens, next(batches, None)
                if self.precision is None:
                    continue
                *sums, undecided, spent = self.whole(inputs, patience > 0)
            else:
                now, boxes = [x[-BATCH:] for x in boxes], [x[:-BATCH] for x in boxes]
                *sums, undecided, spent = self.halves(now, patience > 0)
            found, patience = both(found, sums), patience - spent
            boxes = joined(boxes, undecided) if boxes else undecided
        return found

    def batches(self, first):
        """Those inputs in rows of tokens. In a batch only the last tokens differ, by 1 each."""
        n, k = self.net.n, self.net.k
        if k == 1:
            yield np.array([[first]])
            return
        for chosen in itertools.combinations(range(first + 1, n), k - 2):
            for start in range((first, *chosen)[-1] + 1, n, BATCH):
                tokens = np.empty((min(BATCH, n - start), k), np.intp)
                tokens[:, :-1], tokens[:, -1] = (first, *chosen), start + np.arange(len(tokens))
                yield tokens

    def run(self, jobs, progress=None):
        """Those of all inputs."""
        found, every = (np.zeros(7), INF), math.comb(self.net.n, self.net.k)
        with ThreadPoolExecutor(jobs) as pool:
            for part in pool.map(self.part, range(self.net.n - self.net.k + 1)):
                found = both(found, part)
                if progress:
                    progress(int(found[0][0]), every)
        return found

    def missing(self, tokens):
        """How many of each token's bits the inputs' members lack, [inputs, n]."""
        found = np.uint8(0) if self.net.h < 256 else np.int64(0)
        for word in self.words:
            absent = ~np.bitwise_or.reduce(word[tokens], axis=1)
            found = found + np.bitwise_count(absent[:, None] & word)
        return found

    def covered(self, tokens):
        """How many tokens miss no bit and are no members, [inputs]."""
        missed = False
        for word in self.words:
            absent = ~np.bitwise_or.reduce(word[tokens], axis=1)
            missed = missed | ((absent[:, None] & word) != 0)
        return self.net.n - self.net.k - np.count_nonzero(missed, axis=1)

    def whole(self, tokens, patient):
        """`bound` where alpha is free, of one batch; what is in doubt is to be looked at again."""
        k, h, prefix, row = self.net.k, self.net.h, tokens[0, :-1], np.arange(len(tokens))[:, None]
        last = slice(tokens[0, -1], tokens[-1, -1] + 1)
        lean, *parts = (x[last] + x[prefix].sum(axis=0) for x in self.adds)
        level, spread, follow = self.units(*parts)
        ends = np.ones(tokens.shape), np.full(tokens.shape, float(self.net.c))
        sides, units = self.sides(*ends), (x[:, None] for x in (level, spread, follow))
        own, away = self.logits(tokens, tokens, *(x[:, None] for x in sides), *units)
        # the first members' part in the mean is known to every token
        cost = np.empty((self.net.n, 2 * h + 1), self.dtype)
        cost[:, 0], cost[:, 1 : h + 1] = 1.0, self.cost - self.cost[prefix].sum(axis=0) / k
        np.abs(cost[:, 1 : h + 1], out=cost[:, h + 1 :])
        rest, inside = self.cost[last] / k, self.least[tokens[:, None], tokens[:, :, None]]
        shift = (spread * np.abs(rest) - level * rest).sum(axis=1, keepdims=True)
        shift -= (inside.sum(axis=2) + self.constant[tokens]).sum(axis=1, keepdims=True) / k
        high = np.concatenate([shift, level, spread], axis=1) @ cost.T
        high += lean
        high += self.constant
        follow *= self.radius * k
        shift = -(follow * rest).sum(axis=1, keepdims=True)
        swing = np.concatenate([shift, follow], axis=1) @ cost[:, : h + 1].T
        high += np.abs(swing, out=swing)
        high[row, tokens] = -INF
        boxes = tokens, *ends, np.zeros(len(tokens))
        return self.bound(boxes, own[:, 0], away[:, 0], high, None, patient)

    def halves(self, boxes, patient):
        """`bound` of the parts that boxes are halved into, along what moves most."""
        tokens, low, high, depth, again, *others = boxes
        k, count, rank = self.net.k, 2**self.halved, np.arange(self.net.k)
        if k > self.halved:
            rank = np.argsort(np.argsort(-self.loose(tokens, low, high), axis=1), axis=1)[:, None]
        upper, half = np.arange(count)[:, None] >> rank & 1, (low + high)[:, None] / 2.0
        low = np.where(upper == 1, half, low[:, None])
        high = np.where((upper == 0) & (rank < self.halved), half, high[:, None])
        (centre, _), (_, radius) = self.sides(low, high), self.sides(low[:, :1], high[:, :1])
        read, wanted = self.read[tokens], np.concatenate([tokens, again], axis=1)
        parts = centre @ read, radius @ np.abs(read), radius @ np.abs(read - self.typical)
        found = self.logits(tokens, wanted, centre, radius, *self.units(*parts))
        middle, wide = (x.reshape(-1, wanted.shape[1]) for x in found)
        own, away, middle, wide = middle[:, :k], wide[:, :k], middle[:, k:], wide[:, k:]
        of = np.repeat(np.arange(len(tokens)), count)
        ends = (x.reshape(-1, k) for x in (low, high))
        boxes = tokens[of], *ends, depth[of] + self.halved, again, *(x[of] for x in others)
        return self.bound(boxes, own, away, middle + wide, middle - wide, patient, of)

    def bound(self, boxes, own, away, up, down, patient, of=None):
        """Sums and margin over those boxes on which nothing is in doubt, the others, and how many
        of these are for the margin's sake alone, for which none are without patience.

        boxes: tokens, both ends of alpha, and how often each has been halved; and, unless tokens
        are all looked at, which are, [boxes, kept], and of the others together the exponentials
        over those of the members, at most, and the margin, at least. Members' logits, relative to
        their mean, lie within away of own, others' between down and up, rounding apart.
        """
        tokens, low, high, depth, *before = boxes
        again, rest, apart = before or (None, np.zeros(len(tokens)), np.full(len(tokens), INF))
        error, k = 2.0 * self.error, self.net.k
        least, most = (own - away).min(axis=1), (own + away).max(axis=1)
        lead, gaps = np.full(len(tokens), INF), None
        if self.margin > -INF:
            gaps = (least - error)[:, None] - up
            close = np.flatnonzero(~(gaps.min(axis=1) >= self.margin))
            missing = self.missing(tokens[close])
            missing = missing if again is None else np.take_along_axis(missing, again[of[close]], 1)
            gaps[close] = np.where(missing >= self.level, gaps[close], INF)
            lead = np.minimum(gaps.min(axis=1), apart)
        # Jensen: members' exponentials add up to k times that of their mean, at least
        weak = np.exp((own - away).astype(float)).sum(axis=1)
        factor = np.exp(error + 2.0**-11) / np.where(weak < INF, np.maximum(weak, k), k)
        leak_high = rest + added(np.exp(up, out=up)) * factor + 1e-30
        leak_low, doubt = np.zeros(len(tokens)), ~(leak_high < 0.999 * self.threshold)
        if down is not None and doubt.any():
            strong = np.exp((own + away)[doubt].astype(float)).sum(axis=1)
            leak_low[doubt] = added(np.exp(down[doubt])) * np.exp(-error - 2.0**-11) / strong
        fails, below = leak_low > 1.001 * self.threshold, ~(lead >= self.margin)
        splits = self.halved > 0 and (high - low > 2.0**-18 * self.net.c).all(axis=1)
        unsure, splits = doubt & ~fails & splits & (0.5**depth > self.precision), below & splits
        if again is None:
            unsure, splits = doubt, below
        split = unsure | (splits & patient)
        worst = np.where(np.isnan(lead), -INF, lead)[below & ~split].min(initial=INF)
        # members whose logits differ by D at most are tanh(D / 4) from uniform among themselves
        uneven = np.tanh((most - least + error) / 4.0)
        tv_low = np.fmax(1.0 - 1.0 / (1.0 + leak_low) - 1e-12, 0.0)
        tv_high = np.fmin(uneven + 1.0 - 1.0 / (1.0 + leak_high) + 1e-12, 1.0)
        sums = np.zeros(7)
        sums[3:] = np.array([fails, doubt, tv_low, tv_high])[:, ~split] @ 0.5 ** depth[~split]
        undecided = [x[split] for x in (tokens, low, high, depth)]
        if again is None:
            more = self.chosen(undecided[0], up[split], None if gaps is None else gaps[split])
            more[1] *= factor[split]
        else:
            more = [again[of[split]], rest[split], apart[split]]
        return sums, worst, undecided + more, int((split & ~unsure).sum())

    def chosen(self, tokens, shares, gaps):
        """The tokens that matter most in these boxes, what shares the others have together, and the
        least of their gaps.
        """
        least, others = np.full(len(tokens), INF), self.net.n - self.kept
        np.put_along_axis(shares, tokens, -1.0, axis=1)
        # what is no number comes last, among those that matter
        weight = shares if gaps is None else np.where(gaps < self.margin, INF, shares)
        again = np.argpartition(weight, others, axis=1)[:, others:]
        np.put_along_axis(shares, np.concatenate([tokens, again], axis=1), 0.0, axis=1)
        if gaps is not None:
            np.put_along_axis(gaps, again, INF, axis=1)
            least = gaps.min(axis=1)
        return [again, added(shares).astype(float), least]

    def sides(self, low, high):
        """Centre and radius."""
        return np.array([(low + high) / 2.0, (high - low) / 2.0], self.dtype)

    def loose(self, tokens, low, high):
        """How much each coefficient adds to the width of logits, roughly."""
        centre, radius = self.sides(low, high)[..., None]
        read = self.read[tokens]
        y, moved = self.bias + (centre * read).sum(axis=1), radius * np.abs(read)
        unsure = moved.sum(axis=1) + self.room > np.abs(y)
        apart = radius * np.abs(read - self.typical) * (y > 0.0)[:, None]
        return (moved * unsure[:, None] + apart) @ self.peak

    def units(self, y, width, rest):
        """level, spread, follow: f_u is within spread of level + s follow, for an s that is the
        same for all u.

        Where y_u may have either sign, f_u is 0 or y_u, as in the centre, and half, give or take
        half. y_u itself is followed as far as all tokens read `typical`, if that is better.
        """
        y, width = y + self.bias, width + self.room
        on, half = y > 0.0, np.maximum(width - np.abs(y), 0.0) * 0.5
        spread = half + np.where(on, np.minimum(rest, width), 0.0)
        follow = np.where(on & (rest < width), self.typical, 0.0).astype(self.dtype)
        return np.maximum(y, 0.0) + half, spread.astype(self.dtype), follow

    def logits(self, tokens, wanted, centre, radius, level, spread, follow):
        """Middle and width of the wanted tokens' logits, relative to the mean of the first of them,
        the members, over boxes of one radius.
        """
        k = self.net.k
        cost, constant = np.take(self.cost, wanted, axis=0), self.constant[wanted]
        lean = self.lean[tokens[:, :, None], wanted[:, None]]
        cost -= cost[:, :k].sum(axis=1, keepdims=True) / k
        lean -= lean[..., :k].sum(axis=2, keepdims=True) / k
        constant -= constant[:, :k].sum(axis=1, keepdims=True) / k
        units = np.concatenate([level, follow], axis=1) @ cost.transpose(0, 2, 1)
        middle, swing = np.split(units, 2, axis=1)
        middle += constant[:, None] + centre @ lean
        wide = spread @ np.abs(cost, out=cost).transpose(0, 2, 1) + radius @ np.abs(lean, out=lean)
        return middle, wide + np.abs(swing) * radius.sum(axis=2, keepdims=True)


def added(x):
    """Sums of rows; of exponentials they err, with those, by less than 2^-12 of themselves."""
    return x.sum(axis=1, dtype=float if x.shape[1] > 2**10 else None)


def both(a, b):
    """Sums of both, and the smaller margin."""
    return a[0] + b[0], min(a[1], b[1])


def joined(a, b):
    """Boxes and more boxes."""
    return [np.concatenate(pair) for pair in zip(a, b, strict=True)]


# ---- statements


def held(weights, arithmetic):
    """Whether the weights are numbers of the arithmetic's format."""
    single = {name: np.ascontiguousarray(x, "<f4") for name, x in weights.items()}
    exact = all((single[name] == x).all() for name, x in weights.items())
    coarse = any((x.view("<u4") & 0xFFFF).any() for x in single.values())
    return arithmetic == "real" or (exact and not (coarse and arithmetic == "bfloat16"))


class Checker:
    """Proves the statements of one certificate. enumerated: by `run` with the same `wanted`."""

    def __init__(self, weights, cert, jobs=1, progress=None, enumerated=None):
        self.weights, self.net, self.cert = weights, Network(weights, cert), cert
        self.jobs, self.progress = jobs, progress
        self.every, self.enumerated = math.comb(self.net.n, self.net.k), enumerated
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

    def wanted(self):
        """What an enumeration is to find: the level, its margin, and how precisely failure is."""
        every = [x for x in self.cert["statements"] if x.get("by") == ENUMERATION]
        ranking = [x for x in every if x["kind"] == "outranks"]
        level = min((x["missing"] for x in ranking), default=0)
        margin = max((float(x["margin"]) for x in ranking), default=-INF)
        precision = self.cert["precision"] if len(every) > len(ranking) else 1.0
        return level, margin, precision if every else None

    @cached_property
    def sums(self):
        if self.enumerated is None:
            search = Enumeration(self.net, *self.wanted())
            self.enumerated = search.run(self.jobs, self.progress)
        return self.enumerated

    def covered(self):
        """Bounds on the share of covered inputs, and the largest mean of covered tokens."""
        if self.every > MOST_INPUTS:
            return 0.0, 1.0, float(self.net.n - self.net.k)
        share = self.sums[0][1] / self.every
        high = min(share * (1.0 + 1e-12), 1.0)
        return share * (1.0 - 1e-12), high, self.sums[0][2] / self.every

    def between(self, kind, by):
        """Bounds on the probability of failure or on the mean total variation."""
        if by == ENUMERATION:
            low, high = self.sums[0][3:5] if kind == "failure" else self.sums[0][5:]
            low, high, room = low / self.every, high / self.every, 1e-9 * self.net.k
            return low * (1.0 - room), min(high * (1.0 + room), 1.0)
        n, k, (margins, spread, gap) = self.net.n, self.net.k, self.structure
        (low, high, tokens), (first, least) = self.covered(), (*margins[:2], INF)[:2][::-1]
        small = (n - k) * np.exp(-float(first)) / k
        leak, lowest = small + tokens * np.exp(-float(least)) / k, np.exp(-float(gap)) / k
        threshold = 1.0 / (2 * k + 1)
        if kind == "failure":
            return low * (lowest > 1.001 * threshold), high if small < 0.999 * threshold else 1.0
        most = math.tanh(max(float(spread), 0.0) / 4.0) + 1.0 - 1.0 / (1.0 + leak) + 1e-9
        return max(low * (1.0 - 1.0 / (1.0 + lowest)) - 1e-9, 0.0), min(most, 1.0)

    def outranks(self, level, margin, by):
        if by == STRUCTURE:
            return [*self.structure[0], INF][level] >= Fraction(margin)
        least, most, _ = self.wanted()
        return least <= level and margin <= min(most, float(self.sums[1]))

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
            says = f"every member outranks every token that misses {x['missing']} bits or more, by "
            says += f"at least {x['margin']:.6g} ({x['by']})"
            holds = self.outranks(x["missing"], x["margin"], x["by"])
        elif kind == "margin_at_most":
            member, other = x["member"], x["other"]
            lead = np.subtract(*net.replay(tokens, x["alpha"], [member, other]))
            bits = (net.own[other] & ~net.own[tokens].any(axis=0)).sum()
            says = f"a token that misses {x['missing']} bits trails a member by at most "
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
            holds = self.sums[0][1:3].tolist() == [x["inputs"], x["covered_tokens"]]
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


def progress():
    """Tells a person at a terminal how much is done and how long the rest takes."""
    started = time.monotonic()

    def tell(done, every):
        left = (time.monotonic() - started) * (every - done) / done
        end = "\n" if done == every else ""
        print(f"\r{done:,} of {every:,} inputs, {left:.0f} s left ", end=end, file=sys.stderr)

    return tell if sys.stderr.isatty() else None


def about_ranking(statement):
    return statement is not None and statement["kind"] == "outranks" and statement["margin"] > 0.0


class Parser(argparse.ArgumentParser):
    """Its errors are bad input."""

    def error(self, message):
        raise BadInput(message)


def main(arguments=None):
    parser = Parser(
        prog="checker.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("certificate", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="threads")
    try:
        options = parser.parse_args(arguments)
        require(options.jobs >= 1, "jobs must be at least 1")
        weights = read_weights(options.weights.read_bytes())
        cert = read_certificate(options.certificate.read_bytes(), weights)
    except (BadInput, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    np.seterr(all="ignore")
    failed = ranking = False
    for x, sentence, proved in Checker(weights, cert, options.jobs, progress()).verdicts():
        print("proved  " if proved else "REJECTED", sentence, flush=True)
        failed, ranking = failed or not proved, ranking or (proved and about_ranking(x))
    if not ranking:
        print("it proves nothing about ranking")
    return int(failed or not ranking)


if __name__ == "__main__":
    sys.exit(main())
