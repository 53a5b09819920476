"""States of a text recogniser (an ONNX graph with a CTC softmax) on lines drawn from a font."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError
from train.readout.files import Readout
from train.readout.messages import reason
from train.readout.onnx_file import BLANK, load_graph
from train.readout.sizes import check_bytes

# pixels; the height that recognisers of the PP-OCR family are trained for
HEIGHT = 48
_GLYPH = 40
_IN_A_LINE = 8
_MOST_FONT = 2**28  # bytes; twice the largest collections


def recogniser_states(
    rng: np.random.Generator, path: Path, readout: Readout, font: Path, lines: int
) -> tuple[Float[np.ndarray, "T d"], float]:
    """What the last linear map reads at every frame that is not blank, and the share read rightly.

    Each line has 8 random characters of the recogniser's vocabulary that the font can draw. The
    share is of lines whose recognised text, by greedy CTC decoding, is the drawn one. Raises
    DomainError for a graph without characters or an unreadable font.
    """
    import onnxruntime
    from onnx import helper
    from PIL import ImageFont

    if BLANK not in readout.vocabulary:
        raise DomainError(f"{path}: lines of a font need a recogniser's characters; use --states")
    check_bytes(font, _MOST_FONT)
    try:
        face = ImageFont.truetype(str(font), _GLYPH)
    except OSError as error:
        raise DomainError(f"{font}: not a font: {reason(error)}") from None
    characters = _drawable(readout.vocabulary, face)
    if not characters.size:
        raise DomainError(f"{font}: must have Chinese characters that the recogniser knows")
    model = load_graph(path)
    if not model.graph.input:
        raise DomainError(f"{path}: the graph reads nothing")
    entry, name = model.graph.input[0].name, readout.reads
    del model.graph.output[:]
    model.graph.output.append(helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's errors have no common base
        raise DomainError(f"{path}: the graph cannot be run: {reason(error)}") from None
    states, right = [], 0
    for _ in range(lines):
        wanted = rng.choice(characters, size=_IN_A_LINE)
        drawn = _drawn("".join(readout.vocabulary[each] for each in wanted), face)
        try:
            (found,) = session.run([name], {entry: drawn})
            frames = np.asarray(found, dtype=np.float32).reshape(-1, readout.d)
        except Exception as error:
            raise DomainError(f"{path}: the graph cannot read a line: {reason(error)}") from None
        best = (frames @ readout.vectors.T + readout.bias).argmax(axis=1)
        states.append(frames[best != 0])
        changed = np.concatenate([[True], best[1:] != best[:-1]])
        right += np.array_equal(best[changed & (best != 0)], wanted)
    return np.concatenate(states), right / lines


def _drawable(vocabulary: tuple[str, ...], face: object) -> np.ndarray:
    """Numbers of single Chinese characters whose glyph is not the font's box for missing ones."""
    missing = bytes(face.getmask("\U0010fffe"))  # type: ignore[attr-defined]
    return np.array(
        [
            number
            for number, character in enumerate(vocabulary)
            if len(character) == 1
            and "\u4e00" <= character <= "\u9fff"
            and bytes(face.getmask(character)) != missing  # type: ignore[attr-defined]
        ]
    )


def _drawn(text: str, face: object) -> np.ndarray:
    """Black on white, scaled to [-1, 1]: float32 [1, 3, 48, width]."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_GLYPH * len(text) + 16, HEIGHT), "white")
    ImageDraw.Draw(image).text((8, 2), text, font=face, fill="black")  # type: ignore[arg-type]
    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None]
    return pixels / 127.5 - 1.0
