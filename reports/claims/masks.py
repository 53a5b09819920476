"""Claims about the weights and the hidden layer: modes, masks, clamping, the worth of a hash."""

from __future__ import annotations

from reports.claims.sources import complement, source
from reports.jobs import SOURCE_ANALYSIS, STUDY
from reports.ledger import Claim, Finding
from reports.numbers import Checks, Evidence
from reports.traced import given, only
from train.analysis.figure_ids import FigureId
from train.analysis.mechanism import StateCluster
from train.analysis.record import Analysis
from train.panels import learned_codes, mechanism_map

# the largest gap in a normal column is about a tenth of its modes' distance
LEAST_GAP = 0.25
LEAST_AGREEMENT = learned_codes.LEAST_AGREEMENT


def two_modes(evidence: Evidence) -> Finding:
    """Claim 1."""
    clamp, other = source(evidence), complement(evidence)
    two = clamp.number("units with two modes", lambda a: a.mechanism.modes.read.two, ".2%")
    gap = clamp.number(
        "narrowest gap over the distance of the modes",
        lambda a: given(a.mechanism.modes.read.gap).lowest,
        ".1%",
    )
    explained = clamp.number(
        "variance between the modes, median unit",
        lambda a: given(a.mechanism.modes.read.explained).median,
        ".2%",
    )
    other.number("units with two modes", lambda a: a.mechanism.modes.read.two, ".2%")
    loads, other_loads = (
        network.number(
            "variance of tokens per unit over a random code's",
            lambda a: given(given(a.mechanism.code).tokens_variance_over_random),
        )
        for network in (clamp, other)
    )
    return Finding(
        [two == 1.0, gap > LEAST_GAP],
        f"{two:.0%} of the units have two modes of their own. The median unit has "
        f"{explained:.1%} of its variance between them, and the narrowest gap is {gap:.0%} of "
        "the distance between the modes.",
        "The entries are not quite random: the number of tokens per unit varies "
        f"{loads:.2f} times as much as a random code's, and {other_loads:.1f} times as much in "
        "the complement network.",
        limited=not 0.8 < loads < 1.25,
    )


def transposed_mask(evidence: Evidence) -> Finding:
    """Claim 2."""
    clamp = source(evidence)
    agreement = clamp.number(
        "entries on which the masks agree", lambda a: given(a.mask_agreement), ".5%"
    )
    differing = clamp.number("entries that differ", lambda a: a.mechanism.agreement.disagreements)
    shuffled = clamp.number(
        "agreement with shuffled tokens", lambda a: given(a.mechanism.agreement.shuffled), ".1%"
    )
    other = complement(evidence).number(
        "entries on which the masks agree", lambda a: given(a.mask_agreement), ".3%"
    )
    study = evidence.observed(
        "agreement of the masks, all seeds of the study",
        Checks(STUDY, learned_codes.NAME, learned_codes.Quantity.AGREEMENT),
        ".5%",
    )
    return Finding(
        [agreement > LEAST_AGREEMENT, study.low > LEAST_AGREEMENT, shuffled < agreement],
        f"The two masks agree on {agreement:.2%} of all entries ({differing:.0f} differ); with "
        f"shuffled tokens they would agree on {shuffled:.0%}. In each of the study's "
        f"{study.count} networks they agree on {study.low:.3%} or more.",
        "There is a second mechanism, the complement, in which the high modes belong to the same "
        f"tokens and not to opposite ones. In that network {other:.2%} of the entries agree.",
    )


def hits(record: Analysis, count: int) -> StateCluster:
    """The states of units that so many of an input's tokens own."""
    return only(record.mechanism.hidden_states, lambda cluster: cluster.hits == count)


def clamped_union(evidence: Evidence) -> Finding:
    """Claim 9."""
    clamp = source(evidence)
    narrowed = clamp.number(
        "width of the union's band after over before",
        lambda a: given(given(a.mechanism.bands).narrowed),
        ".1%",
    )
    eigenvalue = clamp.number(
        "median eigenvalue of W_in W_out",
        lambda a: given(a.mechanism.layer.eigenvalues.real).median,
        ".4f",
    )
    none = clamp.number(
        "mean state before the layer, 0 hits", lambda a: hits(a, 0).before.mean, ".2f"
    )
    one = clamp.number(
        "mean state before the layer, 1 hit", lambda a: hits(a, 1).before.mean, ".2f"
    )
    two = clamp.number(
        "mean state before the layer, 2 hits", lambda a: hits(a, 2).before.mean, ".2f"
    )
    gap = clamp.number(
        "lowest state of the union less the highest outside, after",
        lambda a: given(a.mechanism.bands).after.gap,
        ".3f",
    )
    return Finding(
        [narrowed < 0.25, none < 0.0, one > 0.0, one < two],
        f"Before the layer the mean states are {none:.2f}, {one:.2f} and {two:.2f} for 0, 1 and "
        "2 hits (0 is the unit's threshold, and 1 the distance of its modes). The layer narrows "
        f"the union's band to {narrowed:.1%} of its width; the median eigenvalue of W_in W_out "
        f"is {eigenvalue:.4f}.",
        "The separation is not exact: over the sampled inputs the lowest state of the union is "
        f"{-gap:.3f} below the highest state outside it.",
        limited=gap < 0.0,
    )


def equal_hashes(evidence: Evidence) -> Finding:
    """Claim 10."""
    clamp = source(evidence)
    spread = clamp.number(
        "sd over mean of the sum", lambda a: given(given(a.mechanism.hash_dot).relative_sd), ".2%"
    )
    total = clamp.number("mean of the sum, nats", lambda a: given(a.mechanism.hash_dot).sum.mean)
    bit = clamp.number("mean bit, nats", lambda a: given(a.mechanism.hash_dot).per_bit.mean)
    bit_sd = clamp.number("sd of a bit, nats", lambda a: given(a.mechanism.hash_dot).per_bit.sd)
    balance = clamp.number(
        "variance of the sum over that of independent bits",
        lambda a: given(given(a.mechanism.hash_dot).variance_over_independent_bits),
    )
    return Finding(
        [spread < 0.05, bit > 2.0],
        f"The sum is {total:.1f} nats for every token, give or take {spread:.1%}, and one bit is "
        f"worth {bit:.2f} ± {bit_sd:.2f} nats. Strong bits make up for weak or missing ones: the "
        f"sums vary {balance:.2f} times as much as sums of independent bits would.",
    )


MASK_CLAIMS = (
    Claim(
        "1",
        "What units read has two modes",
        "The entries of W_E W_in, what each token writes into each hidden unit, look random and "
        "fall into two modes with a gap between them.",
        two_modes,
        figures=[(SOURCE_ANALYSIS, FigureId.READ_WEIGHTS)],
    ),
    Claim(
        "2",
        "Units write the transposed mask",
        "The entries of W_out W_U have two modes too, and the mask of their low mode is the "
        "transpose of the mask of the high mode of W_E W_in: a unit lowers the logits of the very "
        "tokens that it reads.",
        transposed_mask,
        formula="mask(W_out W_U < θ') = mask(W_E W_in > θ)ᵀ",
        figures=[
            (SOURCE_ANALYSIS, FigureId.WRITE_WEIGHTS),
            (SOURCE_ANALYSIS, FigureId.MASK_AGREEMENT),
            (STUDY, mechanism_map.NAME),
        ],
    ),
    Claim(
        "9",
        "The layer clamps the union",
        "Before the layer, states in the hidden basis are low exactly on the units outside the "
        "union, and inside it they form clusters by the number of hashes that overlap. After the "
        "layer the union's states lie in a narrow band.",
        clamped_union,
        formula="x − ReLU(x − 1) = min(x, 1)",
        figures=[
            (SOURCE_ANALYSIS, FigureId.HIDDEN_BASIS),
            (SOURCE_ANALYSIS, FigureId.HIDDEN_STATES),
            (SOURCE_ANALYSIS, FigureId.LAYER_EIGENVALUES),
        ],
    ),
    Claim(
        "10",
        "Every token's hash is worth the same",
        "The sum of the large entries of a token's readout row against the union's expected "
        "values is about the same for every token, and the logit falls by several nats from full "
        "overlap to one bit short.",
        equal_hashes,
        formula="Σ_{j ∈ S_i} (bit weight)_ij ≈ const",
        figures=[(SOURCE_ANALYSIS, FigureId.UNIFORMITY), (SOURCE_ANALYSIS, FigureId.HASH_DOT)],
    ),
)
