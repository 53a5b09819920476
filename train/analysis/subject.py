"""The network under analysis, by the name under which its users know it."""

from train.reading.subject import Subject, open_subject, open_subjects

__all__ = ["Subject", "open_subject", "open_subjects"]
