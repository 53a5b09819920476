"""Matrix products by NumPy against PyTorch's. False-alarm budget of this file: none."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from train.training.products import product  # noqa: E402

sizes = st.integers(1, 40)


def of_integers(rows: int, columns: int, seed: int, transposed: bool, dtype=torch.float32):
    """Small whole numbers, whose sums are exact in any order."""
    shape = (columns, rows) if transposed else (rows, columns)
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(-8, 9, shape, generator=generator).to(dtype)
    return found.T if transposed else found


@given(sizes, sizes, sizes, st.integers(0, 2**32), st.booleans(), st.booleans(), st.booleans())
def test_every_layout(
    rows: int, inner: int, columns: int, seed: int, left: bool, right: bool, given_out: bool
) -> None:
    """Operands as they lie in memory or transposed; the result in new memory or in `out`."""
    a = of_integers(rows, inner, seed, left)
    b = of_integers(inner, columns, seed + 1, right).requires_grad_()
    out = torch.empty(rows, columns) if given_out else None
    found = product(a, b, out)
    assert torch.equal(found, a @ b.detach())
    assert not found.requires_grad
    if given_out:
        assert found is out


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_numbers(dtype) -> None:
    """By PyTorch, and without a gradient either."""
    a, b = of_integers(5, 7, 1, False, dtype), of_integers(7, 3, 2, True, dtype)
    found = product(a.requires_grad_(), b)
    assert torch.equal(found, a.detach() @ b)
    assert not found.requires_grad


@pytest.mark.parametrize(("rows", "inner", "columns"), [(0, 3, 2), (2, 0, 3), (3, 2, 0)])
def test_empty(rows: int, inner: int, columns: int) -> None:
    assert torch.equal(
        product(torch.ones(rows, inner), torch.ones(inner, columns)), torch.zeros(rows, columns)
    )


def test_what_is_not_finite_passes() -> None:
    """Without a warning; training finds it in the loss."""
    a, b = torch.tensor([[1e30, 1e30]]), torch.tensor([[1e30], [-1e30]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert product(a, b).isnan().all()
