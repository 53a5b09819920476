"""The network under analysis, by the name under which its users know it."""

from train.reading.subject import Subject, open_subject

__all__ = ["Subject", "open_subject"]
