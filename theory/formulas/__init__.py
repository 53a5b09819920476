"""Every formula of the suite, each written once as a SymPy expression.

The numeric evaluators stand one folder up (`theory.false_positives`, ...), free of SymPy so
that commands start quickly; each formula names its evaluator and the tests compare the two.
"""

from theory.formula import Formula
from theory.formulas import (
    column_weight,
    converses,
    dense_codes,
    false_positives,
    harder_task,
    moment_curve,
    pseudo_inverse,
    quenched,
    schemes,
    softmax_output,
    union_size,
    width,
)

CATALOGUE: tuple[Formula, ...] = (
    *union_size.FORMULAS,
    *false_positives.FORMULAS,
    *quenched.FORMULAS,
    *softmax_output.FORMULAS,
    *width.FORMULAS,
    *column_weight.FORMULAS,
    *schemes.FORMULAS,
    *dense_codes.FORMULAS,
    *pseudo_inverse.FORMULAS,
    *moment_curve.FORMULAS,
    *harder_task.FORMULAS,
    *converses.FORMULAS,
)
