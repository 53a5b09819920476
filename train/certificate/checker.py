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

Float64 is used with a bound on its rounding, which is 0 where all sums are exact: those of
multiples of 2^-p below 2^(53-p). What overflows becomes NaN or infinite, and proves nothing.
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
MOST_INPUTS, MOST_HALVINGS, PATIENCE, BATCH, COLUMNS = 2**26, 40, 2**14, 256, 16


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
    return lambda x: type(x) in (int, float) and low <= x <= high


def choice(options):
    return lambda x: type(x) is str and x in options


def listed(check, length=None, distinct=False):
    return lambda x: (
        type(x) is list
        and length in (None, len(x))
        and all(map(check, x))
        and not (distinct and len(set(x)) < len(x))
    )


def fields(value, checks, what):
    """Require an object with just these fields, each as its check wants it."""
    require(type(value) is dict, f"{what} must be an object")
    odd = sorted(set(value) ^ set(checks))
    require(not odd, f"{what} must have {', '.join(checks)} and nothing else: {odd[:1]}")
    for name, check in checks.items():
        require(check(value[name]), f"{what}: {name} is of a wrong type, length or range")


def read_weights(content):
    """The tensors of a safetensors file, by name, as stored; bfloat16 as float32."""
    end = 8 + int.from_bytes(content[:8], "little")
    require(8 < end <= len(content), "weights: no safetensors file")
    header, data = parsed(content[8:end], "weights: header"), content[end:]
    require(type(header) is dict, "weights: header must be an object")
    header.pop("__metadata__", None)
    found, spans = {}, [(0, 0)]
    sizes: dict[str, int] = {}
    for name, entry in header.items():
        require(name in AXES, f"weights: {name[:40]!r} is none of {', '.join(AXES)}")
        natural, what = whole(0, 2**40), f"weights: {name}"
        shape, offsets = listed(natural, len(AXES[name])), listed(natural, 2)
        fields(entry, {"dtype": choice(DTYPES), "shape": shape, "data_offsets": offsets}, what)
        (start, stop), kind = entry["data_offsets"], np.dtype(DTYPES[entry["dtype"]])
        for letter, size in zip(AXES[name], entry["shape"], strict=True):
            require(size == sizes.setdefault(letter, size) > 0, f"{what} has a wrong shape")
        fits = stop <= len(data) and stop - start == math.prod(entry["shape"]) * kind.itemsize
        require(fits, f"{what} has a wrong length")
        raw = np.frombuffer(data[start:stop], kind).reshape(entry["shape"])
        found[name] = (raw.astype("<u4") << 16).view("<f4") if kind == "<u2" else raw
        require(
            (np.abs(found[name].astype(float)) < LARGEST).all(),
            f"{what} must be finite, below 2^150",
        )
        spans.append((start, stop))
    ends = [stop for _, stop in sorted(spans)]
    gapless = [*(start for start, _ in sorted(spans)), len(data)] == [0, *ends]
    require(gapless, "weights: tensors must fill the file without gaps or overlaps")
    require(set(SHAPES) <= set(found), f"weights must have {', '.join(SHAPES)}")
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
    number = real(-LARGEST, LARGEST)
    checks = {
        "schema": whole(SCHEMA, SCHEMA),
        "n": whole(n, n),
        "k": whole(1, n - 1),
        "c": real(1.0, LARGEST),
        "arithmetic": choice(ROUNDOFF),
        "weights": lambda x: type(x) is str,
        "owners": lambda x: type(x) is str,
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
    k, token = cert["k"], whole(0, n - 1)
    few = math.comb(n, k) <= MOST_INPUTS
    every = {
        "kind": choice(KINDS),
        "units": listed(whole(0, h - 1), distinct=True),
        "unit": whole(0, h - 1),
        "tokens": listed(token, k, distinct=True),
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
    for i, entry in enumerate(cert["statements"]):
        kind = entry.get("kind") if type(entry) is dict else None
        require(choice(KINDS)(kind), f"statement {i + 1}: kind must be one of {', '.join(KINDS)}")
        fields(
            entry, {name: every[name] for name in ("kind", *KINDS[str(kind)])}, f"statement {i + 1}"
        )
    return cert


# ---- the network in its normal form, and what float64 and the certified arithmetic round

rational = np.vectorize(lambda x: Fraction(float(x)), [object])


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
        ratio = W_U / self.scale
        if not np.isin(np.frexp(ratio)[0], (0.0, 0.5, -0.5)).all():
            self.scale, ratio = 1.0, W_U
        W_U = ratio
        q, g, typical = (np.array(cert[x], float) for x in ("q", "g", "typical"))
        q, g = q / self.scale, g / self.scale
        flip = sign < 0
        self.q, self.g, self.typical = q, g, typical
        self.read, self.bias = w["W_E"] @ w["W_in"] * sign, w["b_in"] * sign
        self.cost = -(w["W_out"] @ W_U)
        self.rho = self.cost - q[:, None]
        self.lean = w["W_E"] @ W_U + self.read[:, flip] @ self.cost[flip] - g[:, None]
        self.constant = self.bias[flip] @ self.cost[flip] + b_out @ W_U + b_U
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
        exact = whole <= 2.0**51 * step and step > 1e-250
        # what underflows may still be multiplied
        tiny = 1e-250 * (1.0 + k * c) * (1.0 + reach.max()) * (1.0 + cost.max())
        self.error = 0.0 if exact else share * (whole + tiny)
        # over all inputs: the largest y_u when u is hit, and y_u's range when it is missed
        high, low = self.most(self.read), -self.most(-self.read)
        kth = -np.partition(-high, k - 1, axis=0)[k - 1]
        with_token = np.where(high >= kth, top(high, k), high + top(high, k - 1))
        self.hit = np.where(own, with_token, -INF).max(axis=0) + self.bias + self.y_error
        missed = self.bias - top(np.where(own, -INF, -low), k) - self.y_error
        self.missed_low = np.where((~own).sum(axis=0) < k, INF, missed)
        self.missed_high = top(np.where(own, -INF, high), k) + self.bias + self.y_error
        self.z_round, self.logit_round = self.rounding(ROUNDOFF[cert["arithmetic"]], d)

    def most(self, x):
        """The largest alpha x over alpha in [1, c]."""
        return np.maximum(x, self.c * x)

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

    @np.errstate(all="ignore")
    def structure(self):
        """Without enumeration, in multiples of scale: at most l_a - l_t for members a and tokens t
        that miss at least 0, 1, 2, ... bits; at least the difference of two members, and of a
        member and a covered token.

        A token's own units cost it rho f, f in [0, hit] when hit and [missed_low, missed_high] when
        missed. The other units are followed: where f_u were y_u with `typical` for the owners'
        reads, it would be linear in alpha; an owner among the members adds at most its price.
        """
        even = np.where(self.own, self.typical, self.read)
        least, most = (top(self.most(s * even), self.k) + s * self.bias for s in (-1.0, 1.0))
        hit = np.where(self.own.any(axis=0), np.maximum(self.hit, 0.0), 0.0)[:, None]
        under, over = np.maximum(most, 0.0)[:, None], np.maximum(hit[:, 0] + least, 0.0)[:, None]
        can_miss = np.isfinite(self.missed_low)
        low, high = (
            np.where(can_miss, np.maximum(x, 0.0), 0.0) for x in (self.missed_low, self.missed_high)
        )
        short = np.where(can_miss, np.maximum(-self.missed_low, 0.0), 0.0)
        bits = int(self.own.sum(axis=1).max())

        def upper(at, sign):
            """The largest sign x l_t of the tokens `at`: as members, and by missing bits."""
            own, column = self.own[at].T, np.arange(len(at))
            rho = sign * self.rho[:, at]
            far, near = np.where(own, 0.0, rho), np.where(own, rho, 0.0)
            base = sign * self.constant[at] - self.bias @ far + short @ np.maximum(-far, 0.0)
            price = np.maximum(np.maximum(far, 0.0) * under, np.maximum(-far, 0.0) * over)
            up = self.most(sign * self.lean[:, at] - even @ far) + self.own @ price
            itself, up[at, column] = up[at, column].copy(), -INF
            on_hit = np.maximum(-near, 0.0) * hit
            covered = base + top(up, self.k) + on_hit.sum(axis=0)
            found = [base + itself + top(up, self.k - 1) + on_hit.sum(axis=0)]
            can = own & can_miss[:, None]
            change = np.maximum(-near * low[:, None], -near * high[:, None]) - on_hit
            change = -np.sort(-np.where(can, change, -INF), axis=0)
            for s in range(bits + 1):
                found.append(np.where(can.sum(axis=0) < s, -INF, covered + change[:s].sum(axis=0)))
            return [bound.max() for bound in found]

        blocks = [np.arange(self.n)[i : i + 256] for i in range(0, self.n, 256)]
        most, least = (np.max([upper(at, x) for at in blocks], 0) + self.error for x in (1.0, -1.0))
        by_bits = np.maximum.accumulate(most[:0:-1])[::-1]
        return -least[0] - by_bits, most[0] + least[0], most[0] + least[1]

    def hidden(self, tokens, alpha, units=slice(None)):
        """Exact x, and exact z of those units, at one input."""
        x = rational(np.array(alpha, float)) @ rational(self.w["W_E"][list(tokens)])
        return x, x @ rational(self.w["W_in"][:, units]) + rational(self.w["b_in"][units])

    def replay(self, tokens, alpha, wanted):
        """Exact logits of the wanted tokens at one input."""
        w, (x, z) = self.w, self.hidden(tokens, alpha)
        x = x + np.array([max(y, Fraction(0)) for y in z]) @ rational(w["W_out"])
        x = (x + rational(w.get("b_out", np.zeros(1)))) @ rational(w["W_U"][:, wanted])
        return x + rational(w.get("b_U", np.zeros(self.n))[wanted])


# ---- all inputs: a quick bound on each, then halves of its box of alpha where that is not enough


class Enumeration:
    """All inputs of a network, for a level and the margin wanted of it (-inf for none).

    precision: a box is halved where more of an input's alpha is in doubt to fail; None to count
    covered inputs only.
    """

    def __init__(self, net, level, margin, precision):
        self.net, self.level, self.margin, self.precision = net, level, margin, precision
        rho, lean = net.rho.T * net.scale, net.lean * net.scale
        # what all tokens share is seen by no softmax
        constant = (net.constant - np.median(net.constant)) * net.scale
        self.tables = [np.ascontiguousarray(x) for x in (net.read, rho, lean, constant, net.bias)]
        # single precision for the quick bound: on l_t from above, on l_a from below
        self.quick = [x.astype(np.float32) for x in self.tables]
        up, down = np.maximum(rho, 0.0), np.maximum(-rho, 0.0)
        self.above = np.ascontiguousarray(np.hstack([-up, down]).T.astype(np.float32))
        self.below = np.hstack([down, -up]).astype(np.float32)
        self.high_lean = net.most(lean).astype(np.float32)
        self.low_lean = -net.most(-lean).astype(np.float32)
        # each operation on the way loses at most 2^-53, or 2^-24, of at most these
        f = np.abs(net.bias) + net.k * net.c * np.abs(net.read).max(axis=0)
        size = (np.abs(rho) @ f).max() + net.k * net.c * np.abs(lean).max() + np.abs(constant).max()
        steps = 2 * net.h + 5 * net.k + 24
        self.y_error = 4.0 * net.y_error + steps * 2.0**-52 * f
        self.error = 4.0 * net.error * net.scale + steps * 2.0**-52 * size + net.logit_round
        self.y_error32 = self.y_error + steps * 2.0**-23 * f
        self.error32 = self.error + steps * 2.0**-23 * size + (np.abs(rho) @ self.y_error32).max()
        self.threshold = 1.0 / (2 * net.k + 1)
        own = np.zeros((net.n, -(-net.h // 64) * 64), dtype=bool)
        own[:, : net.h] = net.own
        self.words = np.packbits(own, axis=1).view(np.uint64)

    @np.errstate(all="ignore")
    def part(self, first):
        """Sums over inputs whose smallest token is `first`, and their margin if it is too small.

        Sums: inputs, those covered, covered tokens, bounds on failures and on total variation.
        """
        found, k, more, patience = (np.zeros(7), INF), self.net.k, True, PATIENCE
        chosen = itertools.combinations(range(first + 1, self.net.n), k - 1)
        boxes = [np.empty((0, k), np.intp), np.empty((0, k)), np.empty((0, k)), np.empty(0)]
        while more or len(boxes[0]):
            if more and len(boxes[0]) < BATCH:
                rows = [(first, *others) for others in itertools.islice(chosen, BATCH)]
                more, tokens = len(rows) == BATCH, np.array(rows, np.intp).reshape(-1, k)
                covered = (self.missing(tokens) == 0).sum(axis=1) - k
                counts = len(tokens), (covered > 0).sum(), covered.sum()
                found = both(found, (np.array([*counts, 0, 0, 0, 0], float), INF))
                if self.precision is not None:
                    ends = np.ones(tokens.shape), np.full(tokens.shape, self.net.c)
                    boxes = joined(boxes, (tokens, *ends, np.zeros(len(tokens))))
            elif len(boxes[0]):
                now, boxes = [x[-BATCH:] for x in boxes], [x[:-BATCH] for x in boxes]
                *sums, halves, spent = self.bound(now, patience > 0)
                found, boxes, patience = both(found, sums), joined(boxes, halves), patience - spent
        return found

    def run(self, jobs, progress=None):
        """The same over all inputs."""
        found, every = (np.zeros(7), INF), math.comb(self.net.n, self.net.k)
        with ThreadPoolExecutor(jobs) as pool:
            for part in pool.map(self.part, range(self.net.n - self.net.k + 1)):
                found = both(found, part)
                if progress:
                    progress(int(found[0][0]), every)
        return found

    def bound(self, boxes, patient):
        """The same over those boxes that need no halving, the halves of the others, and how many
        of these are for the margin's sake, for which none are halved without patience.

        boxes: tokens, both ends of alpha, and how often each has been halved.
        """
        tokens, low, high, depth = boxes
        k, count = self.net.k, min(COLUMNS, self.net.n - self.net.k)
        up, own = self.look(tokens, low, high)
        total = up.sum(axis=1, dtype=float) * (1.0 + 2.0**-12)
        leak = total / np.exp(own - own.min(axis=1, keepdims=True)).sum(axis=1)
        quiet = (leak < 0.999 * self.threshold) & (total < np.exp(-self.margin))
        quick = self.box(tokens[quiet], tokens[quiet], low[quiet], high[quiet], True)
        sums, worst = np.zeros(7), INF
        sums[5:] = self.variation(quick, 0.0, leak[quiet]) @ 0.5 ** depth[quiet]
        # the others more exactly, the likeliest tokens one by one, the rest as before
        tokens, low, high, depth, up = (x[~quiet] for x in (tokens, low, high, depth, up))
        up[np.isnan(up)] = INF
        likely = np.argpartition(-up, count - 1, axis=1)[:, :count]
        cols = np.hstack([tokens, likely])
        box = value, slopes, _, gain, loss, lead, influence = self.box(tokens, cols, low, high)
        far = self.missing(tokens) >= max(self.level, 1)
        lead = np.where(np.take_along_axis(far, likely, 1), lead, INF).min(axis=1)
        np.put_along_axis(up, likely, 0.0, axis=1)
        rest = up.sum(axis=1, dtype=float) * (1.0 + 2.0**-12)
        lead = np.minimum(lead, -np.log(np.where(far, up, 0.0).max(axis=1) + 1e-99))
        failing, leak_low, leak_high = self.failing(value, slopes, gain, loss, rest)
        below = ~(lead >= self.margin) & (self.level > 0)
        possible = (high > low).any(axis=1) & (depth < MOST_HALVINGS)
        unsure = possible & ((failing[1] - failing[0]) * 0.5**depth > self.precision)
        split = unsure | (below & possible & patient)
        if (given_up := below & ~split).any():
            worst = np.nan_to_num(lead[given_up], nan=-INF).min()
        tv = self.variation(box, leak_low, leak_high)
        sums[3:] += np.array([*failing, *tv])[:, ~split] @ 0.5 ** depth[~split]
        along = np.where(high > low, influence, -1.0)[split].argmax(axis=1)
        along = np.eye(k, dtype=bool)[along]
        tokens, low, high, depth = (x[split] for x in (tokens, low, high, depth + 1.0))
        middle = (low + high) / 2.0
        lower = tokens, low, np.where(along, middle, high), depth
        upper = tokens, np.where(along, middle, low), high, depth
        return sums, worst, joined(lower, upper), int((split & ~unsure).sum())

    def missing(self, tokens):
        """How many of each token's bits the inputs' members lack, [inputs, n]."""
        absent = ~np.bitwise_or.reduce(self.words[tokens], axis=1)
        found = np.bitwise_count(absent[:, :1] & self.words[:, 0])
        for word in range(1, absent.shape[1]):
            found = found + np.bitwise_count(absent[:, word : word + 1] & self.words[:, word])
        return found

    def look(self, tokens, low, high):
        """exp(at most l_t - the weakest l_a) for every token t, and at least l_a, over boxes."""
        read, _, _, constant, bias = self.quick
        read, own = read[tokens], constant[tokens].astype(float)
        ends = (x.astype(np.float32)[:, :, None] * read for x in (low, high))
        x, y = next(ends), next(ends)
        f = np.hstack([bias + np.minimum(x, y).sum(axis=1), bias + np.maximum(x, y).sum(axis=1)])
        np.maximum(f, 0.0, out=f)
        up, own = f @ self.above, own + (self.below[tokens] @ f[:, :, None])[..., 0]
        up += constant
        for j in range(self.net.k):
            up += self.high_lean[tokens[:, j]]
            own += self.low_lean[tokens[:, j, None], tokens]
        up -= (own.min(axis=1, keepdims=True) - 2.0 * self.error32).astype(np.float32)
        np.put_along_axis(up, tokens, -INF, axis=1)
        return np.exp(up, out=up), own

    def failing(self, value, slopes, gain, loss, rest):
        """Bounds on the share of each box where inputs fail, and on the leak."""
        k, spread = self.net.k, np.abs(slopes).sum(axis=1)
        members = np.log(np.exp((value + spread + gain)[:, :k]).sum(axis=1))
        # Jensen; the members' mean slope is 0
        members_low = math.log(k) + (value - loss)[:, :k].mean(axis=1)
        # all others against the likeliest of them
        first = value[:, k:].argmax(axis=1)[:, None] + k
        slope = np.take_along_axis(slopes, first[:, None], 2)
        lead, apart = (
            value - np.take_along_axis(value, first, 1),
            np.abs(slopes - slope).sum(axis=1),
        )
        low = np.log(np.exp((lead - apart - loss)[:, k:]).sum(axis=1)) - members
        high = np.log(np.exp((lead + apart + gain)[:, k:]).sum(axis=1)) - members_low
        slope, value = np.abs(slope[..., 0]), np.take_along_axis(value, first, 1)[:, 0]
        level, room = math.log(self.threshold), np.maximum(self.threshold - rest / k, 1e-300)
        share_low = share_above(slope, level - low - value + 1e-9, -1.0)
        share_high = share_above(slope, np.log(room) - high - value - 1e-9, 1.0)
        reach = slope.sum(axis=1)
        leak_low, leak_high = np.exp(low + value - reach), np.exp(high + value + reach) + rest / k
        shares = np.nan_to_num(share_low, nan=0.0), np.nan_to_num(share_high, nan=1.0)
        return np.array(shares), np.nan_to_num(leak_low, nan=0.0), np.nan_to_num(leak_high, nan=INF)

    def box(self, tokens, cols, low, high, quick=False):
        """Logits of the columns, the first k of them members, over boxes of alpha.

        Each is value + slopes . x + e with x in [-1, 1]^k and -loss <= e <= gain, relative to an
        affine function of x that is the same for all: where y_u may have either sign, f_u lies
        between share y_u and share y_u + excess. lead: at most l_a - l_t, by token.
        """
        k, (reads, rho, lean, constant, bias) = self.net.k, self.quick if quick else self.tables
        error, y_error = (self.error, self.y_error) if not quick else (self.error32, self.y_error32)
        centre, radius = ((x * 0.5).astype(bias.dtype) for x in (low + high, high - low))
        read, rho = reads[tokens], rho[cols]
        y = bias + (centre[:, None] @ read)[:, 0]
        reach = radius[:, :, None] * np.abs(read)
        width = reach.sum(axis=1) + y_error.astype(bias.dtype)
        on, excess = (y > 0.0).astype(bias.dtype), np.maximum(width - np.abs(y), 0.0)
        if not quick:
            on = np.where(excess > 0.0, (y + width) / (2.0 * width), on)
            excess = np.where(excess > 0.0, on * (width - y), 0.0)
        rows = np.concatenate([y[:, None], radius[:, :, None] * read], axis=1) * on[:, None]
        rows = np.concatenate([rows, excess[:, None]], axis=1)
        products = rows @ rho.transpose(0, 2, 1)
        lean = lean[tokens[:, :, None], cols[:, None, :]]
        value = constant[cols] + (centre[:, None] @ lean)[:, 0] - products[:, 0]
        slopes = radius[:, :, None] * lean - products[:, 1 : k + 1]
        slopes -= slopes[:, :, :k].mean(axis=2, keepdims=True)
        sizes = np.abs(rho)
        if quick:
            # the mean of an affine function's positive part, along the coefficient that moves it
            mean = excess * np.minimum(excess / (4.0 * reach.max(axis=1) + 1e-30), 1.0)
            return value, slopes, (sizes @ mean[:, :, None])[..., 0] + error
        both = (sizes @ excess[:, :, None])[..., 0]
        gain = np.maximum(both - products[:, -1], 0.0) / 2.0 + error
        loss = np.maximum(both + products[:, -1], 0.0) / 2.0 + error
        ahead = (value - loss)[:, :k, None] - (value + gain)[:, None, k:]
        ahead -= np.abs(slopes[:, :, :k, None] - slopes[:, :, None, k:]).sum(axis=1)
        unsure = np.where(excess > 0.0, np.abs(rho[:, : k + 4]).max(axis=1), 0.0)
        influence = np.abs(slopes).max(axis=2) + (reach @ unsure[:, :, None])[..., 0]
        return value, slopes, gain + loss, gain, loss, ahead.min(axis=1), influence

    def variation(self, box, leak_low, leak_high):
        """Bounds on the mean total variation over boxes whose leak is known, [2, boxes].

        With v the affine part of the members' logits less their mean, q their softmax and
        phi(x) = (e^x - 1) / x, (1/2k) sum |v_a| phi(-max |v|) <= TV(q, uniform) <= (1/2k) sum |v_a|
        phi(max |v|), what is off a member's logit adds at most a quarter, and the mass off the
        members, leak / (1 + leak), at most itself. The mean of |v_a| is at most the root of its
        mean square, and at least this square over the largest value.
        """
        k, (value, slopes, off) = self.net.k, (x.astype(float) for x in box[:3])
        off = off[:, :k]
        value = value[:, :k] - value[:, :k].mean(axis=1, keepdims=True)
        square = value**2 + (slopes[:, :, :k] ** 2).sum(axis=1) / 3.0
        largest = np.abs(value) + np.abs(slopes[:, :, :k]).sum(axis=1) + 1e-12
        most, off = largest.max(axis=1), off.sum(axis=1) / 4.0 + 1e-9
        above = np.sqrt(square).sum(axis=1) * np.expm1(most) / most / (2.0 * k) + off
        under = (square / largest).sum(axis=1) * -np.expm1(-most) / most / (2.0 * k) - off
        high = np.fmin(above + 1.0 - 1.0 / (1.0 + leak_high), 1.0)
        low = np.fmax(np.fmax(under, leak_low / (1.0 + leak_low)) - 1e-9, 0.0)
        return np.array([low, high])


def both(a, b):
    """Sums of both, and the smaller margin."""
    return a[0] + b[0], min(a[1], b[1])


def joined(a, b):
    """Boxes and more boxes."""
    return [np.concatenate(pair) for pair in zip(a, b, strict=True)]


def share_above(slopes, level, side):
    """A bound, upper for side 1, lower for -1, on the share of [-1, 1]^k where slopes . x > level.

    That of three coefficients is a sum over corners; small ones are made larger, so that nothing
    cancels, and further ones left out, at the price of a shift.
    """
    slopes = -np.sort(-np.append(slopes, np.zeros((len(slopes), 3)), axis=1), axis=1)
    three = np.maximum(slopes[:, :3], slopes[:, :1] / 16.0 + 1e-12)
    level = level - side * (
        three.sum(axis=1) - slopes.sum(axis=1) + 2.0 * slopes[:, 3:].sum(axis=1)
    )
    below = sum(
        math.prod(signs) * np.maximum(level + three @ signs, 0.0) ** 3
        for signs in itertools.product((-1.0, 1.0), repeat=3)
    )
    share = 1.0 - below / (48.0 * three.prod(axis=1)) + side * 1e-9
    most = three.sum(axis=1)
    share = np.where(np.abs(level) < most, np.clip(share, 0.0, 1.0), level < 0.0)
    return np.where(np.isnan(level + most), side > 0.0, share)


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
        return share * (1.0 - 1e-12), share * (1.0 + 1e-12), self.sums[0][2] / self.every

    def between(self, kind, by):
        """Bounds on the probability of failure or on the mean total variation."""
        if by == ENUMERATION:
            low, high = self.sums[0][3:5] if kind == "failure" else self.sums[0][5:]
            return low / self.every * (1.0 - 1e-9), min(high / self.every * (1.0 + 1e-9), 1.0)
        n, k, (margins, spread, gap) = self.net.n, self.net.k, self.structure
        (low, high, tokens), (first, least) = self.covered(), (*margins[:2], INF)[:2][::-1]
        small = (n - k) * np.exp(-float(first)) / k
        leak, lowest = small + tokens * np.exp(-float(least)) / k, np.exp(-float(gap)) / k
        threshold = 1.0 / (2 * k + 1)
        if kind == "failure":
            return low * (lowest > 1.001 * threshold), high if small < 0.999 * threshold else 1.0
        most = math.tanh(max(float(spread), 0.0) / 4.0) + 1.0 - 1.0 / (1.0 + leak) + 1e-9
        return max(low * (1.0 - 1.0 / (1.0 + lowest)) - 1e-9, 0.0), min(most, 1.0)

    def prove(self, x):
        """What one statement says, and whether it holds."""
        net, kind = self.net, x["kind"]
        if kind in ("hit", "missed"):
            up = kind == "hit"
            holds = net.hit + net.z_round <= 0.0 if up else net.missed_low - net.z_round >= 0.0
            return (
                f"{len(x['units'])} of {net.h} units are {'off' if up else 'on'} whenever "
                f"{'an' if up else 'no'} active token owns them"
            ), bool(holds[x["units"]].all())
        if kind == "gate_errs":
            y = int(net.sign[x["unit"]]) * net.hidden(x["tokens"], x["alpha"], [x["unit"]])[1][0]
            y, room = (y if net.own[x["tokens"], x["unit"]].any() else -y), net.z_round[x["unit"]]
            holds = math.isfinite(room) and y > Fraction(float(room))
            return f"unit {x['unit']} does not tell whether tokens {x['tokens']} own it", holds
        if kind == "margin_at_most":
            lead = np.subtract(*net.replay(x["tokens"], x["alpha"], [x["member"], x["other"]]))
            bits = (net.own[x["other"]] & ~net.own[x["tokens"]].any(axis=0)).sum()
            fits = x["member"] in x["tokens"] and x["other"] not in x["tokens"]
            room = 2.0 * net.logit_round
            holds = math.isfinite(room) and lead + Fraction(room) <= Fraction(x["at_most"])
            return (
                f"a token that misses {x['missing']} bits trails a member by at most "
                f"{x['at_most']:.6g} where tokens {x['tokens']} are active"
            ), bool(fits and bits >= x["missing"] and holds)
        if kind == "outranks":
            level, margin = x["missing"], Fraction(x["margin"])
            if x["by"] == STRUCTURE:
                holds = [*self.structure[0], INF][level] >= margin
            else:
                least, most, _ = self.wanted()
                holds = least <= level and margin <= min(Fraction(most), self.sums[1])
            return (
                f"every member outranks every token that misses {level} bits or more, by at least "
                f"{x['margin']:.6g} ({x['by']})"
            ), bool(holds)
        if kind in ("member_spread", "covered_gap"):
            found = self.structure[1 + (kind == "covered_gap")]
            who = "two members" if kind == "member_spread" else "a member and a covered token"
            return f"logits of {who} differ by at most {x['at_most']:.6g}", found <= x["at_most"]
        if kind == "covered":
            holds = self.sums[0][1:3].tolist() == [x["inputs"], x["covered_tokens"]]
            share = f"P(covered) = {x['inputs'] / self.every:.9g}"
            return f"{share}: {x['inputs']:,} of {self.every:,} inputs", holds
        low, high = self.between(kind, x["by"])
        name = "P(failure)" if kind == "failure" else "E TV"
        return (f"{name} is in [{x['between'][0]:.6g}, {x['between'][1]:.6g}] ({x['by']})"), bool(
            x["between"][0] <= low and high <= x["between"][1]
        )

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
