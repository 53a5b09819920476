"""A recipe from the sizes: rates, scales, batch, steps and optimiser follow from n, k and d.

Fitted by hand on some 80 networks of one seed, n = 512 and 1024 mostly; failure rates below are on
50,000 fresh inputs, or 200,000. The rules, and what each one is from:

- **Steps on 512 tokens at a time**, four steps on the same ones. At n = 4096 a step costs an eighth
  of one on all tokens.
- **Four visits of each token in a step**: batches of 2,048/k. At k = 4 half the batch (and half the
  tokens) let the density collapse from .122 to .054.
- **The rate of the layer** falls as d^-1.45, k^-.3 and (n/512)^-.1, and below n = 512 with the
  batch, which keeps the bits a token near the best m: 12.0 at (n, k, d) = (512, 3, 61) and 22.0 at
  (512, 3, 124), where 12 and 23 are best, and 19.0 at (4096, 4, 126), where 19 are. At one size the
  density is about inverse to it.
- **W_U starts near 0, and its rate falls** with the square of d over the width that the law asks
  for a failure in 64, and with the cube of k/4. At (512, 3, 128) .014 left 24 of 128 units always
  on (failure rate 3.6e-4), half of it 4 units (none of 50,000 failed), a quarter none; at
  (512, 3, 64) half of .014 failed 1.30 times as often as the best random hashes, .014 itself .90.
- **On parts of the vocabulary its rate also falls**, with the root of their number, until the last
  steps, in which the rate of all weights is low and more tokens are known. Early on, what the
  readout learns on one part it unlearns on the next: at (16384, 4, 138) the loss
  over four quarters of the first 3,200 steps was 5.4, 5.6, 4.3, 4.1 with the rate of one part, 4.2,
  3.5, 3.1, 3.0 with half of it and 3.9, 2.8, 2.7, 2.6 with a quarter; with twice the rate it rose
  to 13.
- **Batches four times as large at the end** lower what the coefficients cost of total variation:
  .0137 without them, .0059 with them at (512, 3, 96). Above n = 512 they are twice as large, and
  on more of the tokens: at (1024, 4, 115) all of them at the end. Fewer such steps leave failures
  that no mask foresees: with these rules for the rest, 7.7 of 10,000 inputs at (4096, 4, 126) with
  2,500 of 8,500 steps, none of 100,000 inputs with 3,800 of 11,800.
- **Even hashes**: tokens with fewer bits than the mean are given more, and what is undecided in the
  end settles (see `evenness`). At (512, 3, 103) the masks failed 1.4 times as often as the best
  random hashes without it, .88 times with bits counted in W_E, and .48 times with bits counted as
  the layer reads them. At (4096, 4, 126) the last two were 1.25 and 1.05 times.
- **The last steps learn the scale of all logits as one number.** Entries of W_U are moved by noisy
  gradients of their own and grow too slowly: after training without it, all of W_U times 1.4
  halved the loss. With it KL fell from 5.8e-4 to 1.2e-4 and total variation from .0021 to .0013 at
  (512, 3, 103). Learned from the first step on, it changed the hashes for the worse (15.4 bits
  instead of 18.9).
- A layer that starts from noise loses density sooner, and takes a smaller rate. Its hashes are as
  even, but columns are alike, and it fails more often.

Where parts times k / 4 are more than READS_ITSELF, a readout of its own stays for long on the
solution without a layer: each token is seen seldom, and with many active ones the rate of W_U has
to be low. At (50257, 4, 147) the loss was still 1.7 nats after 57,800 of 61,900 steps. There **W_U
is tied to W_E** until the middle of the last steps, so that what a token's row learns as an input
reads it out as well. At k = 4 a large tie is best: at (4096, 4, 126) the loss after 3,450 steps was
.39 and a token had 18.8 bits with .3, and 1.20 and 56 bits with .06. With k = 8 a smaller one is
best, and a larger rate of the embeddings: at (4096, 8, 368), after 4,240 of 17,000 steps, a token
had 134 bits with a tie of .3, 107 with .15, 87 with .1 and 89 with .07, and with .1 and a rate of
.35 instead of .25 it had 73. With the rates of the last steps 2.5 times as high, total variation
fell from .034 to .019 there, and with five times to .021; with 1,024 inputs in each of them instead
of 512 it was .005 at (4096, 8, 254), and .012 with 70 % more of these steps. Tie, embeddings' rate
and last rates are therefore powers of k / 4, and the last batches as large as at k = 4.

At k = 4, 3,000 visits of each token were enough at (4096, 4, 126) and at (16384, 4, 138), at k = 8,
5,000 at (4096, 8). The rate of the layer is inverse to k and to d, and falls with the tenth root of
the parts: at (4096, 8) tokens have 13.8 bits at d = 155 and 28.0 at 368, where 13 and 29 are best,
and 22.8 at (50257, 4, 147), where 22 are. Where a step has fewer inputs, as k is larger, hashes are
evened out only every second step: in every step it would cost two thirds as much as all else at
(16384, 8, 277). These runs, of one seed, are all that the rules of tied steps are from. At
(16384, 8), on which no rule was fitted, tokens have 33.0 and 27.0 bits at d = 392 and 335, where 31
and 27 are best, but 22.8 and 22.1 at 220 and 178, where 17 and 14 are: at small widths hashes stay
too dense there. A lower rate of the layer helps a little at d = 178: when the last steps begin,
tokens have 27.0 bits and the loss is 1.31 nats, with .6 of the rate 24.1 and 1.19, with .35 of it
22.7 and 1.08; with .6 of it the trained network has 21.1 bits and fails on 45 % of inputs instead
of 50 %. Above k = 8 rates rise no further, the tie falls with the root of k, and visits grow as k
to the power 1.5; no network was trained there.
"""

from __future__ import annotations

from dataclasses import replace

from theory.domain import check_real
from train.training.recipe import Recipe, Start

# a step knows at most this many tokens, its inputs name each of them this often on average, and
# this many steps follow each other on the same ones
TOKENS_A_STEP, VISITS_A_STEP, STEPS_A_PART = 512, 4, 4
# how often a token is named before the batches grow, and the share of the steps with larger ones;
# both fall as a power of the number of parts, and above MANY tokens an input visits are added
VISITS, VISITS_POWER, MANY = 12_000, 0.34, 4
FINAL_BATCHES, FEWEST_BATCHES, FINAL_SHARE, FINAL_POWER = 4, 2, 0.4, 0.1
# steps with larger batches know (FINAL_PARTS parts)^(1/4) times as many tokens, or all
FINAL_PARTS, FINAL_SCALE_RATE = 32, 0.02
EMBEDDING_SCALE, EMBEDDING_RATE = 8.0, 0.25
READOUT_SCALE, READOUT_RATE, READOUT_POWER, READOUT_MANY = 0.001, 0.014, 2.0, 3.0
READOUT_PARTS = 0.5
# where there are parts, and above this many times k / MANY, W_U is tied to W_E but for this share
# of the last steps; then each token is named this share of VISITS, and more often as a power of
# k / MANY
READS_ITSELF, UNTIED_FINAL = 8, 0.5
TIED_VISITS, TIED_MANY, TIED_BEYOND = 0.25, 0.75, 1.5
TIE, TIE_POWER, TIE_BEYOND = 0.3, 1.8, 0.5
TIED_EMBEDDING_POWER, TIED_FINAL_POWER = 0.5, 1.3
# the largest k / MANY on which these powers were fitted; above it rates stay as they are there, and
# visits and the tie follow powers of their own
FITTED = 2.0
EVENNESS = 1.0
# the law's width for this failure rate is the one that READOUT_RATE is for
EPSILON = 1 / 64
# at these sizes, n = 512 = TOKENS_A_STEP
LAYER_RATE, LAYER_D, LAYER_K = 0.0132, 64, 3
D_POWER, K_POWER, TOKENS_POWER, PARTS_POWER = 1.45, 0.3, 0.75, 0.1
LAYER_FROM_NOISE = 0.65
# the rate and its powers of d and k where W_U is tied at first
TIED_LAYER = 0.0111, 1.0, 1.0


def scaled_recipe(
    n: int, k: int, d: int, seed: int = 0, start: Start = "clamp", visits: float = VISITS
) -> Recipe:
    """The recipe for these sizes, k < n; h = d. Raises DomainError as Recipe does.

    visits: how many inputs would name each token in the whole training at k <= 4 and n <= 512, if
    the last batches were no larger.
    """
    from theory.width import width_law  # here, as it takes a while and --help does without

    Recipe(n=n, k=k, d=d, start=start)  # before the rules, so that what is wrong is named
    check_real("visits", visits, 0.0)
    tokens = min(n, max(TOKENS_A_STEP, 2 * k))
    batch = max(1, VISITS_A_STEP * tokens // k)
    parts, crowd = n / tokens, max(1.0, k / MANY)
    tied = parts > 1.0 and parts * crowd > READS_ITSELF
    fitted = min(crowd, FITTED) if tied else 1.0
    beyond = crowd / fitted
    share = (
        TIED_VISITS * fitted**TIED_MANY * beyond**TIED_BEYOND
        if tied
        else crowd * parts**-VISITS_POWER
    )
    steps = max(1, round(visits * share * n / (k * batch)))
    final_share = FINAL_SHARE * parts**-FINAL_POWER
    largest, d_power, k_power = TIED_LAYER if tied else (LAYER_RATE, D_POWER, K_POWER)
    layer = (
        (LAYER_FROM_NOISE if start == "gaussian" else 1.0)
        * (LAYER_D / d) ** d_power
        * (LAYER_K / k) ** k_power
        * (tokens / TOKENS_A_STEP) ** TOKENS_POWER
        * parts**-PARTS_POWER
    )
    readout = READOUT_RATE * (width_law(n, k, EPSILON) / d) ** READOUT_POWER * crowd**-READOUT_MANY
    return Recipe(
        n=n,
        d=d,
        k=k,
        steps=steps,
        batch=batch,
        tokens_a_step=tokens,
        steps_a_part=STEPS_A_PART,
        final_share=final_share,
        final_tokens=min(n, round(tokens * (FINAL_PARTS * parts) ** 0.25)),
        final_batch=round(max(FEWEST_BATCHES * fitted, FINAL_BATCHES / parts) * batch),
        final_scale_rate=FINAL_SCALE_RATE,
        final_rate_factor=fitted**TIED_FINAL_POWER,
        seed=seed,
        start=start,
        embedding_scale=EMBEDDING_SCALE,
        readout_scale=READOUT_SCALE,
        learning_rate=largest * layer,
        embedding_rate=EMBEDDING_RATE * fitted**TIED_EMBEDDING_POWER,
        readout_rate=readout * parts**-READOUT_PARTS,
        final_readout_factor=readout / (readout * parts**-READOUT_PARTS),
        tied_share=1.0 - UNTIED_FINAL * final_share if tied else 0.0,
        tie=TIE * fitted**-TIE_POWER * beyond**-TIE_BEYOND if tied else 1.0,
        evenness=EVENNESS,
        evenness_interval=round(fitted),
        second_moment=0.95,
        weight_decay=0.0,
        warmup=steps // 100,
        cooling=1.3,
    )


SCALES = (
    "learning_rate",
    "embedding_rate",
    "readout_rate",
    "embedding_scale",
    "readout_scale",
)


def off_by(recipe: Recipe, factor: float = 2.0) -> dict[tuple[str, float], Recipe]:
    """The recipe with each rate and scale, by itself, times the factor and divided by it.

    By the field's name and what it is times; how sharp the rules' optimum is can be read off their
    density and failure rate (see `train.sweep.train_one`). Raises DomainError as Recipe does.
    """
    return {
        (name, times): replace(recipe, **{name: times * value})
        for name in SCALES
        if (value := getattr(recipe, name)) is not None
        for times in (1 / factor, factor)
    }
