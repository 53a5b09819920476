"""The source's claims and open questions (A to D), and two questions of this project (E, F).

What is claimed, what decides, and what was found, in this project's words and letters.
"""

from reports.claims.learned import LEARNING_QUESTIONS
from reports.claims.masks import MASK_CLAIMS
from reports.claims.outputs import OUTPUT_CLAIMS
from reports.claims.questions import OPEN_QUESTIONS
from reports.claims.width import WIDTH_CLAIMS
from reports.ledger import Claim


def _place(claim: Claim) -> tuple[int, str]:
    """The claims by number, then the questions."""
    number = "".join(filter(str.isdigit, claim.key))
    return (int(number) if number else 100, claim.key)


_QUESTIONS = (*OPEN_QUESTIONS, *LEARNING_QUESTIONS)
CLAIMS = tuple(sorted([*MASK_CLAIMS, *OUTPUT_CLAIMS, *WIDTH_CLAIMS, *_QUESTIONS], key=_place))
