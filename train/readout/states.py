"""The states that a readout reads: from a file, or made by running the model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError
from train.readout.files import Readout
from train.readout.messages import reason
from train.readout.report import Recipe
from train.readout.sizes import check_bytes, check_entries, check_file, check_values

WINDOW = 512
_MOST_TEXT = 2**26
_MOST_HEADER = 2**16
_MOST_NATS = 600.0


def load_states(path: Path, d: int) -> Float[np.ndarray, "T d"]:
    """States [T, d] of a .npy file, as float32; objects are not unpickled.

    Raises DomainError, naming the file, for any other content.
    """
    states = _mapped(path)
    if not np.issubdtype(states.dtype, np.floating):
        raise DomainError(f"{path}: states must be one floating-point array")
    if states.ndim != 2 or states.shape[1] != d or not len(states):
        raise DomainError(f"{path}: states must have shape [T, {d}]; got {list(states.shape)}")
    check_entries(f"{path}: states", states.shape)
    with np.errstate(over="ignore"):
        found = np.asarray(states, dtype=np.float32)
    check_values(f"{path}: states", found)
    return found


def _mapped(path: Path) -> np.ndarray:
    """The array of a .npy file, of which nothing but the header has been read."""
    check_file(path)
    with path.open("rb") as stream:
        beginning = stream.read(12)
    # from version 2 on the header's length has four bytes, and as many are read
    if beginning[6:7] > b"\x01" and int.from_bytes(beginning[8:], "little") > _MOST_HEADER:
        raise DomainError(f"{path}: not an array file: its header is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # the header is a Python literal: whatever its parser raises
        raise DomainError(f"{path}: not an array file: {reason(error)}") from None


def states_of_text(
    model: Path, readout: Readout, texts: Sequence[Path], most: int
) -> tuple[Float[np.ndarray, "T d"], Recipe]:
    """States of a Llama-type GGUF at the first tokens of the texts together, at most so many.

    In windows of 512 tokens; the check is the perplexity of the text in them. Raises DomainError
    for a model of another type, or a text of fewer than two tokens.
    """
    from train.readout.llama import Llama

    llama = Llama(model)
    if (readout.n, readout.d) != (len(llama.tokenizer.tokens), llama.d):
        raise DomainError(f"{model}: text needs the readout of all of its tokens; use --states")
    tokens: list[int] = []
    for path in texts:
        check_bytes(path, _MOST_TEXT)
        share = max(1, most // len(texts))
        # a token has at least one byte; 16 a token is more than enough
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(min(16 * share, _MOST_TEXT))
        tokens += llama.tokenizer.encode(text)[:share]
    if len(tokens) < 2:
        raise DomainError(f"text must have at least two tokens; got {len(tokens)}")
    windows = [tokens[first : first + WINDOW] for first in range(0, len(tokens), WINDOW)]
    with np.errstate(all="ignore"):  # what comes of it is looked at
        states = llama.states(windows)
    check_values(f"{model}: states of the text", states)
    surprise, first = [], 0
    for window in windows:
        logits = states[first : first + len(window) - 1] @ readout.vectors.T + readout.bias
        top = logits.max(axis=1)
        total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        surprise.append(total - logits[np.arange(len(logits)), window[1:]])
        first += len(window)
    nats = float(np.concatenate(surprise).mean(dtype=np.float64))
    if not nats < _MOST_NATS:
        raise DomainError(
            f"{model}: must predict the text at less than {_MOST_NATS:g} nats a token; got "
            f"{nats:.0f}: take a text in a language of the model's, or use --states"
        )
    return states, Recipe(len(states), "perplexity per token", math.exp(nats))


def states_of_lines(
    model: Path, readout: Readout, font: Path, lines: int, seed: int
) -> tuple[Float[np.ndarray, "T d"], Recipe]:
    """States of an ONNX recogniser on so many lines of random characters drawn from the font."""
    from train.readout.recogniser import recogniser_states

    rng = np.random.default_rng([seed, 6])
    states, right = recogniser_states(rng, model, readout, font, lines)
    if not len(states):
        raise DomainError(
            f"{model}: the recogniser reads nothing but blanks in lines of {font}; "
            "take another font"
        )
    check_values(f"{model}: states of the lines", states)
    return states, Recipe(len(states), "share of lines read rightly", right)
