"""The byte-level BPE tokenizer that a GGUF file of a GPT-2 type vocabulary describes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from theory.domain import DomainError
from train.readout.messages import quoted

# GPT-2's pieces, with digits one by one; \p{L} and \p{N} in the words of the standard library
_PIECES = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+", re.UNICODE
)
_DIGIT = re.compile(r"(\d)")


@lru_cache
def _letters() -> dict[int, str]:
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + place) for place, byte in enumerate(others)
    }


class Tokenizer:
    """Text to token numbers. metadata: of a GGUF file with tokens and merges of type gpt2.

    Special tokens are not recognised in the text. Raises DomainError for another type.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any]) -> None:
        tokens = metadata.get("tokenizer.ggml.tokens")
        merges = metadata.get("tokenizer.ggml.merges")
        if (
            metadata.get("tokenizer.ggml.model") != "gpt2"
            or not isinstance(tokens, list)
            or not isinstance(merges, list)
        ):
            raise DomainError(f"{path}: text needs a tokenizer of type gpt2; use --states")
        self.tokens = [str(token) for token in tokens]
        self._number = {token: number for number, token in enumerate(self.tokens)}
        self._rank = {tuple(str(merge).split(" ", 1)): rank for rank, merge in enumerate(merges)}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The tokens of the text."""
        return [
            number
            for part in _DIGIT.split(text)
            for piece in _PIECES.findall(part)
            for number in self._encode_piece(piece)
        ]

    def decode(self, number: int) -> str:
        """The text of one token; bytes that are no text by themselves show as replacements."""
        byte_of = {letter: byte for byte, letter in _letters().items()}
        token = self.tokens[number]
        if any(letter not in byte_of for letter in token):
            return token
        return bytes(byte_of[letter] for letter in token).decode("utf-8", "replace")

    def _encode_piece(self, piece: str) -> list[int]:
        if piece not in self._known:
            letters = [_letters()[byte] for byte in piece.encode()]
            self._known[piece] = list(self._numbers(self._merged(letters)))
        return self._known[piece]

    def _numbers(self, parts: list[str]) -> Iterator[int]:
        for part in parts:
            if part not in self._number:
                raise DomainError(f"the vocabulary must have every byte; it lacks {quoted(part)}")
            yield self._number[part]

    def _merged(self, parts: list[str]) -> list[str]:
        last = len(self._rank)
        while len(parts) > 1:
            ranks = [self._rank.get(pair, last) for pair in itertools.pairwise(parts)]
            best = min(ranks)
            if best == last:
                break
            place = ranks.index(best)
            parts = [*parts[:place], parts[place] + parts[place + 1], *parts[place + 2 :]]
        return parts
