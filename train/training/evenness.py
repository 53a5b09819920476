"""Even hashes: tokens with fewer bits than the others are given more while training runs.

A token that has b bits too few is covered by a union about 2^b times as often as the rest, so the
failure rate of a code is least where all tokens have the same number of bits. Where failures are
too rare to be met in training no gradient says so, and the learned numbers of bits differ. No hash
is chosen here: what lies between the levels of on and off is moved up in tokens with too few bits,
and down in those with too many. Bits are counted as the layer reads them, in W_E W_in: counted in
W_E itself they came out even to .06 bits at (n, k, d) = (512, 3, 103), but those that the layer
reads differed by .87, and the code failed 1.8 times as often as with bits counted as it reads them.

A token with enough bits is left alone, also where one of them is hardly on. The readout does not
trust such a bit, and the network fails on inputs that leave no other uncovered: on 9.3 of 10,000
at (4096, 4, 126), which no mask foresaw. So what is undecided in the end settles on either side;
then it was none of 100,000.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from train.training.products import product

# a token counts as at most this many bits from the mean
MOST_BITS = 3.0
# an undecided entry is moved to its nearer level as if its token lacked or had so many bits
SETTLING = 4.0


@torch.no_grad()
def even_out(
    W_E: Float[Tensor, "tokens d"],
    W_in: Float[Tensor, "d h"],
    step: float,
    settling: bool = False,
) -> None:
    """Move W_E so that undecided entries of W_E W_in go towards even numbers of bits, in place.

    A column's two levels are the means of the entries above and below its mean; a token owns the
    bit where it is on the side of fewer tokens. An entry at z half-distances from the middle of the
    levels, with |z| < 1, is pushed towards that side, or away from it, by step (1 - z^2) times the
    bits that its token lacks, times the difference of the two sides' shares of the tokens: which
    side has the bit is not known where they are equal. Where they are `settling`, SETTLING z is
    added, and bits are lacking in whole numbers, rounded: else the last entry of a token whose
    number is next to the mean would be pushed back and forth across the middle. W_E moves by the
    push times W_in^T.
    """
    read, tokens = product(W_E, W_in), len(W_E)
    # sums over tokens as products with ones, and masks as numbers: several times as fast
    each_token, each_bit = read.new_ones(tokens), read.new_ones(read.shape[1])
    mean = (each_token @ read) / tokens
    over = (read - mean).clamp_(min=0.0)
    count = each_token @ over.sign()
    # as much is above the mean of a column as below it
    excess = each_token @ over
    high = mean + excess / count.clamp(min=1)
    low = mean - excess / (tokens - count).clamp(min=1)
    middle, half = (high + low) / 2, (high - low) / 2
    # a column of one value, whose mean is rounded, has no levels to lie between
    rounding = tokens * torch.finfo(read.dtype).eps * middle.abs()
    parted = half > rounding
    half.clamp_(min=torch.finfo(read.dtype).tiny)
    z = read.sub_(middle).div_(half).clamp_(-1.0, 1.0).mul_(parted)
    owners_side = 1 - 2 * count / tokens
    bits = (z * owners_side).sign_().clamp_(min=0.0) @ each_bit
    lacking = (bits.mean() - bits).clamp_(-MOST_BITS, MOST_BITS)
    if settling:
        lacking = lacking.round_()
    towards = lacking[:, None] * owners_side
    if settling:
        towards = towards.add_(z, alpha=SETTLING)
    push = towards.mul_(1 - z * z).mul_(parted)
    W_E.add_(product(push, W_in.T), alpha=step)
