"""Every formula of the suite, each written once as a SymPy expression.

The numeric evaluators stand one folder up (`theory.false_positives`, ...), free of SymPy so
that commands start quickly; each formula names its evaluator and the tests compare the two.
"""

from theory.formula import Formula
from theory.formulas import false_positives, quenched, rivals, softmax_output, union_size, width

CATALOGUE: tuple[Formula, ...] = (
    *union_size.FORMULAS,
    *false_positives.FORMULAS,
    *quenched.FORMULAS,
    *softmax_output.FORMULAS,
    *width.FORMULAS,
    *rivals.FORMULAS,
)
