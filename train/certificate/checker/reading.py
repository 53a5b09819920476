"""Reading both files: nothing is believed before its type, length and range have been looked at."""

import base64
import hashlib
import json
import math

import numpy as np

SCHEMA, INF, LARGEST = 3, math.inf, 2.0**150
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
STRUCTURE, PREFIXES, ENUMERATION = "structure", "prefixes", "enumeration"
PROBABILITIES = ("failure", "total_variation")
MOST_INPUTS, MOST_STEPS = 2**26, 2**41


class BadInput(Exception):
    """What is wrong with a file."""


def require(condition, what):
    if not condition:
        raise BadInput(what)


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
    few, small = math.comb(n, k) <= MOST_INPUTS, n**3 * h <= MOST_STEPS
    ways = {"outranks": (STRUCTURE, PREFIXES) if small else (STRUCTURE,)}
    every = {
        "units": different(listed(unit)),
        "unit": unit,
        "tokens": different(listed(token, k)),
        "alpha": listed(real(1.0, cert["c"]), k),
        "member": token,
        "other": token,
        "missing": whole(1, max(int(own.sum(axis=1).max()), 1)),
        "margin": number,
        "at_most": number,
        "inputs": whole(0, MOST_INPUTS if few else -1),
        "covered_tokens": whole(0, 2**62),
        "between": lambda x: listed(real(0.0, 1.0), 2)(x) and x[0] <= x[1],
    }
    for i, entry in enumerate(cert["statements"], start=1):
        kind = entry.get("kind") if type(entry) is dict else None
        require(choice(KINDS)(kind), f"statement {i}: kind must be one of {', '.join(KINDS)}")
        every["by"] = choice(ways.get(str(kind), (STRUCTURE, ENUMERATION) if few else (STRUCTURE,)))
        wanted = {name: every[name] for name in KINDS[str(kind)]}
        fields(entry, {"kind": choice(KINDS), **wanted}, f"statement {i}")
    return cert


def held(weights, arithmetic):
    """Whether the weights are numbers of the arithmetic's format."""
    single = {name: np.ascontiguousarray(x, "<f4") for name, x in weights.items()}
    exact = all((single[name] == x).all() for name, x in weights.items())
    coarse = any((x.view("<u4") & 0xFFFF).any() for x in single.values())
    return arithmetic == "real" or (exact and not (coarse and arithmetic == "bfloat16"))
