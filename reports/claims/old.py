"""The source's claims and open questions (A-D), and two questions of this project (E, F).

What is claimed, what decides, what was found, in this project's words and letters. The numbers are
read from saved results; see `reports.ledger` for how a verdict follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.ledger import Claim, Number, Passed, Range
from reports.results import Step
from train.analysis.construction_path import STEPS

SOURCE, COMPLEMENT = "analysis/source/analysis.json", "analysis/complement/analysis.json"
SCALING, STUDY, SURVEY = "scaling/verdict.json", "study/verdict.json", "survey/verdict.json"
DENSITY, HARDER = "survey/learned_density.csv", "survey/harder_hidden_layer.csv"
PREDICTED, FORMATION = "survey/predicted_against_measured.csv", "survey/formation.csv"
PROOF, FINISHED = "certificates/source/certify.json", "certificates/finished/certify.json"


def _source(label: str, *path: Step, style: str = ".3g") -> Number:
    return Number(f"{label}, source", SOURCE, path, style)


def _complement(label: str, *path: Step, style: str = ".3g") -> Number:
    return Number(f"{label}, complement", COMPLEMENT, path, style)


def _check(file: str, name: str, style: str = ".4g") -> Number:
    return Number(name, file, ("checks", {"name": name}), style)


def _width(series: str, kind: str) -> Number:
    row = {"axis": "1/epsilon", "series": series, "kind": kind, "x": 1e12}
    label = f"width at n = 1024, k = 4, ε = 10⁻¹², {series}, {kind}"
    return Number(label, "scaling/width_of_rivals.csv", (row, "y"), ",.0f")


def _power(field: str, series: str = "learned") -> Number:
    row = {"axis": f"power of {field}", "series": series}
    whose = "of the mask density" if series == "learned" else "of the density of least P_fail"
    return Number(f"power {whose} in {field}", DENSITY, (row,), ".2f")


def _learned_over_best(d: int) -> Number:
    row = {"axis": "d", "series": "learned over P_fail", "x": float(d)}
    label = f"learned density over that of least P_fail, n = 256, d = {d}, k = 3"
    return Number(label, DENSITY, (row,), ".2f")


def _harder(axis: str, task: str, label: str, style: str = ".3f") -> Number:
    row = {"axis": axis, "series": task, "kind": re.compile("^mean")}
    return Number(f"{label}, {task} task", HARDER, (row,), style)


def _inside(series: str, label: str) -> Number:
    row = {"axis": "inside", "series": series}
    return Number(f"networks whose interval holds it: {label}", PREDICTED, (row,), ".0%")


def _ratio(series: str, label: str) -> Number:
    row = {"axis": "measured over predicted", "series": series}
    return Number(f"measured over predicted, median and range: {label}", PREDICTED, (row,), ".2f")


def _covered_failing(k: int, drawn: str, replaced: str) -> Number:
    places = ("as trained", *STEPS)
    series = f"clamp, n=256, k={k}, d=48: {drawn}"
    row = {"axis": "failing", "series": series, "x": float(places.index(replaced))}
    so_far = replaced if replaced == "as trained" else f"replaced up to the {replaced}"
    label = f"covered inputs that fail, clamp, n = 256, k = {k}, {drawn}, {so_far}"
    return Number(label, "survey/covered_inputs.csv", (row,), ".1%")


def _capacity(row: int) -> Number:
    where = {"axis": "capacity", "series": "Bloom filter", "x": float(row)}
    model = ("small", "medium", "large", "XL")[row]
    label = f"largest k in GPT-2 {model}, ε = 10⁻⁶"
    return Number(label, "scaling/language_models.csv", (where, "y"), ".0f")


def _of_source(*names: str) -> Sequence[tuple[str, str]]:
    return [("analysis/source", name) for name in names]


def _level(missing: int, quantity: str, statistic: str) -> tuple[Step, ...]:
    return ("missing_bit_levels", {"missing": missing}, quantity, statistic)


CLAIMS: Sequence[Claim] = (
    Claim(
        key="1",
        title="What units read has two modes",
        claim="The entries of W_E W_in, what each token writes into each hidden unit, look random "
        "and fall into two modes with a gap between them.",
        numbers={
            "two": _source(
                "units with two modes", "mechanism", "modes", "read", "two", style=".2%"
            ),
            "gap": _source(
                "narrowest gap over the distance of the modes",
                *("mechanism", "modes", "read", "gap", "lowest"),
                style=".1%",
            ),
            "explained": _source(
                "variance between the modes, median unit",
                *("mechanism", "modes", "read", "explained", "median"),
                style=".2%",
            ),
            "other_two": _complement(
                "units with two modes", "mechanism", "modes", "read", "two", style=".2%"
            ),
            "loads": _source(
                "variance of tokens per unit over a random code's",
                *("mechanism", "code", "tokens_variance_over_random"),
            ),
            "other_loads": _complement(
                "variance of tokens per unit over a random code's",
                *("mechanism", "code", "tokens_variance_over_random"),
            ),
        },
        finding="{two:.0%} of the units have two modes of their own; the median unit has "
        "{explained:.1%} of its variance between them, and the narrowest gap is {gap:.0%} of their "
        "distance.",
        # the largest gap in a normal column is about a tenth of its modes' distance
        holds=lambda values: values["two"] == 1.0 and values["gap"] > 0.25,
        limit="It is not quite random: the number of tokens per unit varies {loads:.2f} times as "
        "much as a random code's, in the complement network {other_loads:.1f} times.",
        limited=lambda values: not 0.8 < values["loads"] < 1.25,
        figures=_of_source("read_weights"),
    ),
    Claim(
        key="2",
        title="Units write the transposed mask",
        claim="The entries of W_out W_U have two modes too, and the mask of their low mode is the "
        "transpose of the mask of W_E W_in's high mode: what a unit reads it takes from the same "
        "tokens' logits.",
        formula="mask(W_out W_U < θ') = mask(W_E W_in > θ)ᵀ",
        numbers={
            "agreement": _source("entries on which the masks agree", "mask_agreement", style=".5%"),
            "differing": _source("entries that differ", "mechanism", "agreement", "disagreements"),
            "shuffled": _source(
                "agreement with shuffled tokens",
                *("mechanism", "agreement", "shuffled"),
                style=".1%",
            ),
            "other": _complement("entries on which the masks agree", "mask_agreement", style=".3%"),
            "study": Range(
                "agreement, presets best, wide and source",
                STUDY,
                ("checks", {"name": re.compile("^agreement of the two masks")}, "observed"),
                style=".5%",
            ),
        },
        finding="Of all entries {agreement:.2%} agree ({differing} differ; shuffled tokens "
        "{shuffled:.0%}). Over the study's {study.count} networks {study.low:.3%} or more do.",
        holds=lambda values: values["agreement"] > 0.999 and values["study"].low > 0.999,
        limit="There is a second mechanism, the complement: its high modes are the same tokens, "
        "not opposite ones. There {other:.2%} of the entries agree.",
        figures=[*_of_source("write_weights", "mask_agreement"), ("study", "mechanism_map")],
    ),
    Claim(
        key="3",
        title="Small total variation, and mass in two clusters",
        claim="Held-out total variation is small. The mass on the k tokens is discrete: a rare "
        "cluster below a visible gap, the false positives, and the rest near 1.",
        formula="an input fails where its mass is below (k/(k + 1) + 1)/2",
        numbers={
            "tv": _source("total variation", "total_variation", style=".4f"),
            "failure": _source("failure rate", "failure_rate", style=".4f"),
            "failing_top": _source(
                "mass, 99 % quantile of the failing inputs",
                *("behaviour", "mass_clusters", "failing", 2),
                style=".3f",
            ),
            "passing_bottom": _source(
                "mass, 1 % quantile of the others",
                *("behaviour", "mass_clusters", "passing", 0),
                style=".3f",
            ),
            "between": _source(
                "inputs in the middle half between k/(k + 1) and 1",
                *("behaviour", "mass_clusters", "between"),
                style=".2%",
            ),
            "best": Range(
                "total variation, upper ends, presets best and wide",
                STUDY,
                (
                    "checks",
                    {"name": re.compile("^total variation, upper bound, .*3[02]000 steps")},
                    "observed",
                ),
                style=".4f",
            ),
        },
        finding="Total variation is {tv:.4f} and {failure:.2%} of inputs fail; trained longer, "
        "from a layer that starts as the identity, total variation is at most {best.high:.4f}. "
        "Nearly all failing inputs have a mass below {failing_top:.2f}, nearly all others one "
        "above {passing_bottom:.2f}.",
        # the middle is much emptier than the rare cluster
        holds=lambda values: (
            values["tv"].high < 0.05 and values["between"].high < 0.5 * values["failure"].low
        ),
        limit="The gap is not empty: {between:.2%} of inputs lie in the middle half of it.",
        limited=lambda values: values["between"] > 0.0,
        figures=[*_of_source("mass_on_members"), ("study", "learned_codes")],
    ),
    Claim(
        key="4",
        title="Typical outputs are nearly uniform",
        claim="A typical input's output is nearly uniform over its k tokens.",
        formula="TV = (1 − mass) + the members' own non-uniformity",
        numbers={
            "uneven": _source(
                "total variation from non-uniformity",
                *("behaviour", "non_uniformity", "total_variation"),
                style=".4f",
            ),
            "leak": _source(
                "total variation from leakage",
                *("behaviour", "leakage", "total_variation"),
                style=".4f",
            ),
            "sd": _source(
                "sd of the members' logits, nats",
                *("behaviour", "non_uniformity", "member_logit_sd"),
            ),
            "other_sd": _complement(
                "sd of the members' logits, nats",
                *("behaviour", "non_uniformity", "member_logit_sd"),
            ),
        },
        finding="The members' logits differ by {sd:.3f} nats (sd), which costs {uneven:.4f} of "
        "total variation; leakage to other tokens costs {leak:.4f}. In the complement network "
        "they differ by {other_sd:.2f} nats.",
        holds=lambda values: values["uneven"].high < 0.05 and values["leak"].high < 0.05,
        figures=_of_source("typical_output"),
    ),
    Claim(
        key="5",
        title="A false positive passes for a member",
        claim="At a false positive k + 1 tokens share the mass almost equally and the intruder "
        "cannot be told from the members. Given one, the union is larger than usual, so that "
        "others miss few bits too.",
        formula="P(w | false positive) ∝ P(W = w) f(w), f(w) = C(w, m)/C(d, m)",
        numbers={
            "logit": _source(
                "logit of covered non-members less the members' mean, nats",
                *_level(0, "logit", "mean"),
                style=".2f",
            ),
            "logit_sd": _source("its sd, nats", *_level(0, "logit", "sd"), style=".2f"),
            "size": _source(
                "bits of the union, all inputs",
                *("behaviour", "given_false_positive", "union_size", "all"),
                style=".2f",
            ),
            "size_given": _source(
                "bits of the union, given a false positive",
                *("behaviour", "given_false_positive", "union_size", "given"),
                style=".2f",
            ),
            "near": _source(
                "tokens that miss one bit, all inputs",
                *("behaviour", "given_false_positive", "near_misses", "all"),
                style=".3f",
            ),
            "near_given": _source(
                "tokens that miss one bit, given a false positive",
                *("behaviour", "given_false_positive", "near_misses", "given"),
                style=".3f",
            ),
        },
        finding="Given a false positive the union has {size_given:.1f} bits where {size:.1f} are "
        "usual, and {near_given:.2f} other tokens miss one bit where {near:.2f} are usual.",
        holds=lambda values: (
            values["size_given"].low > values["size"].high
            and values["near_given"].low > values["near"].high
            and abs(values["logit"]) < values["logit_sd"]
        ),
        limit="The intruder can be told a little: its logit is {logit:+.2f} nats from the members' "
        "mean, sd {logit_sd:.2f}.",
        limited=lambda values: values["logit"] < -0.05,
        figures=_of_source("false_positive_output", "given_false_positive"),
    ),
    Claim(
        key="6",
        title="Intruders are covered; each missing bit costs the same",
        claim="The hash of each intruder is covered by the union of the members' hashes. Tokens "
        "that miss one bit get a small and nearly equal probability, with one level for each "
        "number of missing bits; a baseline token gets nothing.",
        formula="logit_j = const − β M_j, M_j = |S_j \\ union|",
        numbers={
            "covered": _source("failures by a covered token", "behaviour", "failures", "covered"),
            "near": _source("failures by a near miss", "behaviour", "failures", "near_miss"),
            "other": _source("failures by another token", "behaviour", "failures", "other"),
            "one": _source(
                "mean probability, one bit missing", *_level(1, "probability", "mean"), style=".4f"
            ),
            "one_sd": _source(
                "sd of that probability", *_level(1, "probability", "sd"), style=".4f"
            ),
            "logit_0": _source(
                "mean logit, none missing", *_level(0, "logit", "mean"), style=".2f"
            ),
            "logit_1": _source("mean logit, one missing", *_level(1, "logit", "mean"), style=".2f"),
            "logit_2": _source("mean logit, two missing", *_level(2, "logit", "mean"), style=".2f"),
            "clear": _source(
                "lowest logit with none missing less the highest with one, nats",
                *("missing_bit_levels", {"missing": 0}, "clear_of_next"),
                style=".2f",
            ),
        },
        finding="Of the failures {covered:,} are by a covered token, {near} by a near miss, "
        "{other} by others. Mean logits fall in nearly equal steps, {logit_0:.1f}, {logit_1:.1f}, "
        "{logit_2:.1f} nats at 0, 1, 2 missing bits; with one missing a token gets {one:.2%} "
        "± {one_sd:.2%}.",
        holds=lambda values: (
            values["covered"] > 99 * (values["near"] + values["other"])
            and values["one"] < 0.05
            and values["logit_0"] - values["logit_1"] > 2.0
            and 0.8
            < (values["logit_1"] - values["logit_2"]) / (values["logit_0"] - values["logit_1"])
            < 1.25
        ),
        limit="Equal on average: bits are worth different amounts, the probability with one bit "
        "missing has the sd above, and the levels' extremes overlap (the lowest covered logit less "
        "the highest that misses a bit is {clear:.1f} nats).",
        limited=lambda values: values["clear"] < 0.0,
        figures=_of_source("hashes_against_union", "missing_bit_levels"),
    ),
    Claim(
        key="7",
        title="No token above a threshold was uncovered",
        claim="Over many inputs no token with more than some threshold of the probability was not "
        "fully covered.",
        numbers={
            "largest": _source(
                "largest probability of an uncovered token",
                *("behaviour", "largest_uncovered_probability"),
                style=".3f",
            ),
            "inputs": _source("fresh inputs", "behaviour", "inputs"),
            "covered": _source(
                "inputs with a covered token", "mechanistic_failure_rate", style=".4f"
            ),
            "below": _source(
                "inputs with a member below an uncovered token",
                *("behaviour", "member_below_uncovered"),
            ),
            "other_largest": _complement(
                "largest probability of an uncovered token",
                *("behaviour", "largest_uncovered_probability"),
                style=".3f",
            ),
        },
        finding="On {inputs:,} inputs no uncovered token had a probability above {largest:.3f}. A "
        "member stood below an uncovered token on {below:.3%} of them (upper end of the interval: "
        "{below.high:.3%}).",
        # where the masks cover everything nothing is uncovered
        holds=lambda values: values["largest"] < 0.2 and values["covered"].high < 0.1,
        limit="The complement network gave an uncovered token up to {other_largest:.2f}.",
        limited=lambda values: values["other_largest"] > 0.2,
        figures=_of_source("covered_or_not"),
    ),
    Claim(
        key="8",
        title="k is a soft limit",
        claim="Inputs of more than k tokens are still handled.",
        formula="an input of t tokens fails where its mass is below (t/(t + 1) + 1)/2",
        numbers={
            f"{name}_{tokens}": _source(
                f"{label}, {tokens} tokens",
                *("behaviour", "more_tokens", {"tokens": tokens}, key),
                style=".4f",
            )
            for tokens in (3, 4, 5)
            for name, key, label in (
                ("failure", "failure_rate", "failure rate"),
                ("tv", "total_variation", "total variation"),
                ("lowest", "lowest_member", "probability of the least likely member"),
                ("covered", "mechanistic_failure_rate", "inputs with a covered token"),
            )
        },
        finding="Trained on 3 tokens, it fails on {failure_4:.1%} of inputs of 4 (of 3: "
        "{failure_3:.1%}); total variation is {tv_4:.3f} (of 3: {tv_3:.3f}).",
        holds=lambda values: values["failure_4"] < 0.25 and values["lowest_4"] > 0.125,
        limit="Soft, but near: of 4 members the least likely has {lowest_4:.3f} where 1/4 is due, "
        "of 5 {lowest_5:.3f}, and with 5 tokens a non-member is covered on {covered_5:.0%} of "
        "inputs.",
        figures=_of_source("more_tokens"),
    ),
    Claim(
        key="9",
        title="The layer clamps the union",
        claim="In the hidden basis, before the layer, states are low exactly on the units outside "
        "the union, and inside in clusters by the number of hashes that overlap. After the layer "
        "the union's states lie in a narrow band.",
        formula="x − ReLU(x − 1) = min(x, 1)",
        numbers={
            "narrowed": _source(
                "width of the union's band after over before",
                *("mechanism", "bands", "narrowed"),
                style=".1%",
            ),
            "eigenvalue": _source(
                "median eigenvalue of W_in W_out",
                *("mechanism", "layer", "eigenvalues", "real", "median"),
                style=".4f",
            ),
            **{
                f"hits_{hits}": _source(
                    f"mean state before the layer, {hits} hits",
                    *("mechanism", "hidden_states", {"hits": hits}, "before", "mean"),
                    style=".2f",
                )
                for hits in (0, 1, 2)
            },
            "gap": _source(
                "lowest state of the union less the highest outside, after",
                *("mechanism", "bands", "after", "gap"),
                style=".3f",
            ),
        },
        finding="Before the layer the states' means are {hits_0:.2f}, {hits_1:.2f} and "
        "{hits_2:.2f} at 0, 1, 2 hits (0 is the unit's threshold, 1 the distance of its modes). "
        "The layer narrows the union's band to {narrowed:.1%}; the median eigenvalue of "
        "W_in W_out is {eigenvalue:.4f}.",
        holds=lambda values: (
            values["narrowed"] < 0.25
            and values["hits_0"] < 0.0 < values["hits_1"] < values["hits_2"]
        ),
        limit="Not exactly: over 4,096 inputs the lowest state of the union less the highest "
        "outside it is {gap:.3f}, so that they overlap.",
        limited=lambda values: values["gap"] < 0.0,
        figures=_of_source("hidden_basis", "hidden_states", "layer_eigenvalues"),
    ),
    Claim(
        key="10",
        title="Every token's hash is worth the same",
        claim="Per token, the sum of the large entries of its readout row against the union's "
        "expected values is about the same, and from full overlap to one bit short the logit falls "
        "by several nats.",
        formula="Σ_{j ∈ S_i} (bit weight)_ij ≈ const",
        numbers={
            "spread": _source(
                "sd over mean of the sum", "mechanism", "hash_dot", "relative_sd", style=".2%"
            ),
            "sum": _source("mean of the sum, nats", "mechanism", "hash_dot", "sum", "mean"),
            "bit": _source("mean bit, nats", "mechanism", "hash_dot", "per_bit", "mean"),
            "bit_sd": _source("sd of a bit, nats", "mechanism", "hash_dot", "per_bit", "sd"),
            "balance": _source(
                "variance of the sum over that of independent bits",
                *("mechanism", "hash_dot", "variance_over_independent_bits"),
            ),
        },
        finding="The sum is {sum:.1f} nats ± {spread:.1%}; one bit is worth {bit:.2f} ± "
        "{bit_sd:.2f} nats. Strong bits make up for weak or missing ones: the sums vary "
        "{balance:.2f} times as much as independent bits' would.",
        holds=lambda values: values["spread"] < 0.05 and values["bit"] > 2.0,
        figures=_of_source("hash_dot", "code"),
    ),
    Claim(
        key="11",
        title="Hashes that hardly meet are the bad inputs",
        claim="Tokens whose hashes hardly intersect make a large union and with it many near "
        "misses; within one input overlap is good.",
        formula="f(w) = C(w, m)/C(d, m) grows with the union's size w",
        numbers={
            "largest": _source(
                "largest union found, bits", "behaviour", "extreme_unions", "largest", "union_size"
            ),
            "largest_near": _source(
                "its tokens that miss one bit",
                *("behaviour", "extreme_unions", "largest", "near_misses"),
            ),
            "smallest": _source(
                "smallest union found, bits",
                *("behaviour", "extreme_unions", "smallest", "union_size"),
            ),
            "smallest_near": _source(
                "its tokens that miss one bit",
                *("behaviour", "extreme_unions", "smallest", "near_misses"),
            ),
            "usual_near": _source(
                "tokens that miss one bit, all inputs",
                *("behaviour", "given_false_positive", "near_misses", "all"),
            ),
        },
        finding="The largest union found, {largest} bits, has {largest_near:g} tokens that miss "
        "one bit where {usual_near:.2f} are usual; the smallest, {smallest} bits, has "
        "{smallest_near:g}.",
        holds=lambda values: (
            values["largest_near"] > 3.0 * values["usual_near"] > values["smallest_near"]
        ),
        figures=_of_source(
            "largest_union_output", "smallest_union_output", "failure_by_union_size"
        ),
    ),
    Claim(
        key="12",
        title="Width k log(n/ε), where dense codes pay a power of 1/ε",
        claim="Error ε costs a Bloom filter width O(k log(n/ε)), while superposition by "
        "Johnson–Lindenstrauss codes costs width polynomial in 1/ε.",
        formula="d ≈ k log₂((n − k)/ε)/(ln 2 · κ(k)), κ(k) ≈ 1 + 0.19/k²",
        numbers={
            "checks": Passed("checks of theory against experiment that pass", SCALING),
            "bloom": _check(SCALING, "slope d ln P_fail / dd, nats per bit, n=4096, k=8"),
            "error": _check(SCALING, "slope d ln(error) / dd of the Bloom filter, nats per bit"),
            "linear": _check(SCALING, "slope d ln(error) / d ln d of the linear readout"),
            "kl": _check(SCALING, "slope d ln(kl) / d ln d over the members"),
            "threshold": Passed(
                "checks of dense codes with a threshold a token", SCALING, "dense_threshold"
            ),
            "width": _check(SCALING, "smallest width at the best m, n=4096, k=8, epsilon=1e-12"),
            "bloom_width": _width("Bloom filter, m bits a token", "exact"),
            "sign_width": _width("random signs, each token thresholded", "upper bound"),
        },
        finding="ln P_fail changes by {bloom:.5f} nats per unit of width (n = 4096, k = 8), so "
        "that {width} coordinates hold it below 10⁻¹²; the squared error of a dense code with "
        "linear readout falls as d to the power {linear:.4f}, its KL with power {kl:.3f}.",
        holds=lambda values: bool(values["checks"]) and values["linear"] > -1.1,
        limit="Polynomial in 1/ε is true of squared error, largest error, KL and TV of linear "
        "readouts. Where a set is right or wrong and every token has a threshold of its own, dense "
        "codes need 8 k ln(n/ε), logarithmic too: at most {sign_width:,.0f} coordinates for n = "
        "1024, k = 4 and ε = 10⁻¹², where a Bloom filter needs {bloom_width:.0f}, and a hidden "
        "layer of n units.",
        figures=[
            ("scaling", "failure_against_width"),
            ("scaling", "width_against_error"),
            ("scaling", "linear_readout"),
            ("scaling", "dense_threshold"),
            ("scaling", "width_of_rivals"),
        ],
    ),
    Claim(
        key="13",
        title="Any distribution over the k tokens, for width without n",
        claim="The harder task, an arbitrary distribution over the k tokens, reduces to this one "
        "with further width that does not depend on n; a network trained on it has the same hidden "
        "layer.",
        formula="Var η_i = (‖l‖² − l_i²)/d', d' = 2 ‖l‖² ln(2k/ε)/η²",
        numbers={
            "checks": Passed("checks of the harder task that pass", SCALING, "harder_task"),
            "small": _check(SCALING, "E eta^2 over its exact value, all d', n=1000"),
            "large": _check(SCALING, "E eta^2 over its exact value, all d', n=1000000"),
            **{
                f"{name}_{task}": _harder(axis, task, label, style)
                for task in ("harder", "uniform")
                for name, axis, label, style in (
                    ("clamp", "clamp", "share of clamp units", ".1%"),
                    ("agreement", "clamp_agreement", "agreement of clamp units' masks", ".2%"),
                    ("bits", "bits", "bits per token", ".1f"),
                    ("eigenvalue", "eigenvalue", "mean eigenvalue of W_in W_out", ".3f"),
                )
            },
        },
        finding="The error of a member's logit has the exact variance at every n from 10³ to 10⁶ "
        "({small:.3f} and {large:.3f} times it). Of the layer of a network trained on it "
        "{clamp_harder:.0%} of the units clamp (trained on the uniform task: {clamp_uniform:.0%}), "
        "and their two masks agree on {agreement_harder:.1%} of entries ({agreement_uniform:.1%}).",
        holds=lambda values: (
            bool(values["checks"])
            and values["clamp_harder"] > 0.9
            and values["agreement_harder"] > 0.98
        ),
        limit="The layer is of the same kind, not the same: its code has {bits_harder:.1f} bits a "
        "token where the uniform task's has {bits_uniform:.1f}, and the mean eigenvalue of "
        "W_in W_out is {eigenvalue_harder:.3f} ({eigenvalue_uniform:.3f}).",
        figures=[("scaling", "harder_task"), ("survey", "harder_hidden_layer")],
    ),
    Claim(
        key="14",
        title="The pseudo-inverse concentrates too",
        claim="The closed form of the softmax-bottleneck paper, the pseudo-inverse of the members' "
        "readout columns, also concentrates the mass on the k tokens; a network is unlikely to "
        "compute it.",
        formula="E#FP = (n − k) P(t_ν > √(ν/k)), ν = d − k + 1, Student t",
        numbers={
            "checks": Passed("checks of its exact law that pass", SCALING, "pseudo_inverse"),
            "clamp": _source(
                "share of units that are of one mechanism", "mechanism", "score", "units"
            ),
            "complement": _complement(
                "share of units that are of one mechanism", "mechanism", "score", "units"
            ),
        },
        finding="Its failure law is exact and holds ({checks.passed} of {checks.total} checks). It "
        "needs the inverse of a k × k matrix of every input. The units of the trained networks do "
        "something else: {clamp:.0%} of those of one clamp, {complement:.0%} of another's mark "
        "what nobody owns.",
        holds=lambda values: (
            bool(values["checks"]) and min(values["clamp"], values["complement"]) > 0.9
        ),
        limit="That a network is unlikely to compute it is what training shows here, no theorem.",
        figures=[("scaling", "pseudo_inverse")],
    ),
    Claim(
        key="15",
        title="768 coordinates for 50,257 tokens",
        claim="It makes GPT-2's residual width of d = 768 for n = 50,257 tokens less mysterious.",
        formula="largest k with P_fail(n, k, d, best m) ≤ ε",
        numbers={
            "checks": Passed("checks at those sizes that pass", SCALING, "language_models"),
            "small": _check(SCALING, "P_fail at the capacity, Bloom filter, n=50257, k=14, d=768"),
            "capacity": _capacity(0),
            "capacity_xl": _capacity(3),
        },
        finding="In GPT-2's 768 coordinates one Bloom filter holds random sets of {capacity:.0f} "
        "of 50,257 tokens, failing on {small:.1e} of them; in GPT-2 XL's 1,600, {capacity_xl:.0f}.",
        holds=lambda values: bool(values["checks"]) and values["capacity"] >= 10,
        limit="That is what the width allows, not what GPT-2 does: no language model was looked "
        "at here.",
        figures=[("scaling", "language_models")],
    ),
    Claim(
        key="A",
        title="Can it be proved that the network is a Bloom filter?",
        claim="For every input and all α ∈ [1, c]: does every member outrank every token that "
        "misses a bit, and how often does the network fail?",
        formula="inf over inputs, α, members a, tokens t that miss s bits of l_a − l_t > 0",
        question=True,
        numbers={
            "how": Number("what was searched, source", PROOF, ("searched", "how")),
            "inputs": Number("inputs searched, source", PROOF, ("searched", "inputs")),
            "seen": Number(
                "smallest lead over a token that misses a bit, seen and replayed, source",
                PROOF,
                ("margins", {"missing_bits": 1}, "seen"),
                ".3f",
            ),
            "level": Number(
                "missing bits from which it is proved, source", PROOF, ("smallest_level",)
            ),
            "lead": Number(
                "smallest proved lead over a token that misses two bits, source",
                PROOF,
                ("margins", {"missing_bits": 2}, "proved"),
                ".4f",
            ),
            "failure": Number(
                "proved bounds on the failure rate, source", PROOF, ("failure",), ".4f"
            ),
            "gates": Number("gates proved for every input, source", PROOF, ("gates", "proved")),
            "units": Number("units, source", PROOF, ("gates", "units")),
            "structural": Number(
                "all proved from the weights alone, finished", FINISHED, ("structural",)
            ),
            "margin": Number(
                "proved lead over a token that misses a bit, finished",
                FINISHED,
                ("margins", {"missing_bits": 1}, "proved"),
                ".3f",
            ),
            "margin_seen": Number(
                "smallest lead seen, finished",
                FINISHED,
                ("margins", {"missing_bits": 1}, "seen"),
                ".3f",
            ),
            "plain": Number(
                "the same by interval bounds without exactly k tokens, finished",
                FINISHED,
                ("margins", {"missing_bits": 1}, "any_number_of_tokens"),
                ",.0f",
            ),
            "tv": Number(
                "total variation, finished", FINISHED, ("finished", "total_variation"), ".4f"
            ),
            "trained_tv": Number(
                "total variation before, source",
                FINISHED,
                ("finished", "trained_total_variation"),
                ".4f",
            ),
            "rate": Number(
                "proved bounds on the failure rate, finished", FINISHED, ("failure",), ".5f"
            ),
        },
        finding="Of the plainly trained network it is proved, over all {inputs:,} inputs and all "
        "α, that every member outranks every token that misses {level} bits or more, and that it "
        "fails on between {failure[0]:.2%} and {failure[1]:.2%} of inputs. The same network, "
        "rounded to its own masks, has everything proved from its weights alone: a lead of "
        "{margin:.2f} nats ({margin_seen:.2f} was seen), a failure rate of {rate[0]:.4%}, and a "
        "total variation of {tv:.4f} where {trained_tv:.4f} was trained.",
        holds=lambda values: values["how"] == "all inputs" and values["structural"],
        limit="With one bit missing it is false of the trained network: at one input a member's "
        "logit less such a token's is {seen:.2f} nats. And no unit-by-unit proof exists: "
        "{gates} of its {units} gates hold for every input.",
        limited=lambda values: values["seen"] < 0.0,
        figures=[("certificates/source", "certificate"), ("certificates/finished", "certificate")],
    ),
    Claim(
        key="B",
        title="How dense are the learned hashes?",
        claim="What is the density of the learned hashes, and how does it relate to the optimal "
        "Bloom density?",
        formula="optimal m ≈ (d/k)(ln 2 − 0.543/k) for FPR",
        question=True,
        numbers={
            "density": _source("mask density", "density", style=".3f"),
            "best": _source(
                "density of least P_fail",
                *("mechanism", "code", "optimal_density", "failure"),
                style=".3f",
            ),
            "other": _complement("mask density", "density", style=".3f"),
            "ratio": _learned_over_best(64),
            "ratio_wide": _learned_over_best(128),
            "k": _power("k"),
            "k_best": _power("k", "P_fail"),
            "n": _power("n"),
            "scale": _power("embedding_scale"),
            "rate": _power("learning_rate"),
            "width": _power("d"),
        },
        finding="It is {density:.3f} (least P_fail: {best:.3f}), and it depends on what the "
        "optimum knows nothing of: it grows with the scale of W_E at the start (power "
        "{scale:.2f}) and with n (power {n:.2f}), and falls with the learning rate. It follows "
        "the optimum in k (powers {k:.2f}, optimum {k_best:.2f}).",
        holds=lambda values: (
            values["k"].low - 0.2 < values["k_best"] < values["k"].high + 0.2
            and values["scale"].low > 0.0
            and values["n"].low > 0.0
            and values["rate"].high < 0.0
        ),
        limit="No theory here says why. By one recipe with 4,000 steps it is {ratio:.2f} of the "
        "optimum at d = 64 and {ratio_wide:.2f} of it at d = 128, no power law in d.",
        figures=[("survey", "learned_density"), ("study", "learned_codes")],
    ),
    Claim(
        key="C",
        title="Why are the outputs so uniform?",
        claim="The members' logits are nearly equal although coefficients, hashes and overlaps "
        "differ. What makes them so, and what is left?",
        formula="l_a − mean = height + coefficients + hits + which tokens + other units + residual",
        question=True,
        numbers={
            "sd": _source("sd of the members' logits, nats", "uniformity", "sd", style=".3f"),
            "unclamped": _source(
                "variance through the units without thresholds, nats²",
                "uniformity",
                "unsaturated_variance",
            ),
            "weights": _source(
                "variance of bit weights alone, nats²",
                *("uniformity", "hash_dot_variance"),
            ),
            **{
                part: _source(
                    f"share of the variance, {label}",
                    *("uniformity", "parts", part, "share"),
                    style=".0%",
                )
                for part, label in (
                    ("coefficients", "coefficients"),
                    ("residual_path", "past the units"),
                    ("other_units", "units of others"),
                    ("partners", "which tokens hit"),
                    ("overlaps", "number of hits"),
                    ("height", "constant of the token"),
                )
            },
            "other_coefficients": _complement(
                "share of the variance, coefficients",
                *("uniformity", "parts", "coefficients", "share"),
                style=".0%",
            ),
            "other_residual": _complement(
                "share of the variance, past the units",
                *("uniformity", "parts", "residual_path", "share"),
                style=".0%",
            ),
        },
        finding="By the thresholds: what comes through the units would have a variance of "
        "{unclamped:.0f} nats² over the members without them; the logits' sd is {sd:.3f} nats. Of "
        "what is left {coefficients:.0%} is what the coefficients still change, "
        "{residual_path:.0%} bypasses the units, {other_units:.0%} comes through units that the "
        "token does not own; the token's own constant explains {height:.0%}, the number of hits "
        "{overlaps:.0%}.",
        holds=lambda values: (
            values["unclamped"] > 100.0 * values["sd"] ** 2
            and values["coefficients"] + values["residual_path"] + values["other_units"] > 0.5
        ),
        limit="This says where the variance is, for one network. In the complement network "
        "{other_residual:.0%} bypasses the units and {other_coefficients:.0%} is the "
        "coefficients'.",
        figures=[("analysis/source", "uniformity"), ("survey", "uniformity")],
    ),
    Claim(
        key="D",
        title="What do language models use?",
        claim="What do real language models use to put probability on few tokens?",
        question=True,
        numbers={
            "capacity": _capacity(0),
            "rival": Number(
                "largest k in GPT-2 small, ε = 10⁻⁶, pseudo-inverse",
                "scaling/language_models.csv",
                (
                    {
                        "axis": "capacity",
                        "series": "pseudo-inverse of random $W_U$",
                        "x": 0.0,
                    },
                    "y",
                ),
                ".0f",
            ),
        },
        finding="Not settled here. The widths leave room for either: GPT-2's 768 coordinates hold "
        "{capacity:.0f} tokens by a Bloom filter and {rival:.0f} by a pseudo-inverse. A Bloom "
        "filter would show as two modes of the readout after a change of basis, as false positives "
        "that are covered by the members, and as levels by missing bits.",
        holds=None,
        figures=[("scaling", "language_models")],
    ),
    Claim(
        key="E",
        title="Do a network's masks predict what it does?",
        claim="The exact rates of a trained network's own masks, beside what it does on fresh "
        "inputs: the comparison that this suite is for.",
        formula="P_fail = share of inputs whose union covers a non-member, by enumeration",
        question=True,
        numbers={
            "checks": Passed(
                "checks of covered tokens against the exact law",
                SURVEY,
                "predicted_against_measured",
            ),
            "masks": _inside("mechanistic_failure_rate from masks", "covered inputs, own masks"),
            "failing": _inside("failure_rate from masks", "failure rate, own masks"),
            "failing_ratio": _ratio("failure_rate from masks", "failure rate, own masks"),
            "by_size": Range(
                "measured over predicted, clamp, means by size: failure rate, own masks",
                PREDICTED,
                ({"axis": "clamp, failure_rate over masks"}, "y"),
                ".2f",
                "sizes",
            ),
            "random": _inside("failure_rate from random_code", "failure rate, random code"),
            "random_ratio": _ratio("failure_rate from random_code", "failure rate, random code"),
            "tv": _inside("total_variation from levels", "total variation, logit levels"),
            "tv_ratio": _ratio("total_variation from levels", "total variation, logit levels"),
            **{
                f"{drawn.split()[0]}_{k}": _covered_failing(k, drawn, "as trained")
                for k in (2, 3)
                for drawn in ("drawn in training", "held out")
            },
            "levels_2": _covered_failing(2, "held out", "writes"),
            "units_2": _covered_failing(2, "held out", "direct path"),
        },
        finding="In part. How often they cover a non-member is predicted exactly ({checks.passed} "
        "of {checks.total} checks; {masks:.0%} of the intervals hold), how often the network fails "
        "is not ({failing:.0%}). Total variation is {tv_ratio:.2f} times what the levels of its "
        "logits predict (median).",
        holds=lambda values: bool(values["checks"]) and values["masks"] > 0.8,
        limit="Clamp networks fail {by_size.low:.2f} to {by_size.high:.2f} times as often as their "
        "masks say, least where k = 2. There they have some token sets by heart: of the inputs "
        "that cover a non-member {drawn_2:.1%} fail, of those whose set training never drew "
        "{held_2:.1%} (n = 256; at k = 3 {drawn_3:.0%} and {held_3:.0%}). And they use more than "
        "masks, mostly what bypasses the units: of the sets never drawn {levels_2:.0%} fail with "
        "every unit at its two levels, {units_2:.0%} without the bypass as well, all in the exact "
        "filter.",
        limited=lambda values: (
            values["failing"] < 0.9
            and values["drawn_2"].high < values["held_2"].low
            and values["levels_2"].high < values["units_2"].low
        ),
        figures=[
            ("survey", "predicted_against_measured"),
            ("survey", "covered_inputs"),
            ("analysis/source", "predicted_against_measured"),
            ("organisms", "recovery_against_noise"),
        ],
    ),
    Claim(
        key="F",
        title="How does the code form?",
        claim="Do the hashes come before the loss falls, or after?",
        question=True,
        numbers={
            f"{name}_{quantity}": Number(
                f"doublings of the step from half of the loss's fall to {label}, {name}",
                FORMATION,
                ({"axis": "lag", "series": name, "kind": quantity},),
                ".2f",
            )
            for name in ("clamp", "complement")
            for quantity, label in (
                ("kl", "nine tenths of it"),
                ("two_modes", "half of the way to its units with two modes"),
                ("agreement", "half of the way to the agreement of its masks"),
                ("oriented", "half of the way to its units of the mechanism"),
            )
        },
        finding="After the first half of the loss's fall and before most of the rest. Half-way to "
        "their final share, the clamp's units with two modes come {clamp_two_modes:.1f} doublings "
        "of the step after half of the fall, the agreement of the masks {clamp_agreement:.1f}; "
        "nine tenths of the fall come {clamp_kl:.1f} after it. In the complement: "
        "{complement_two_modes:.1f}, {complement_agreement:.1f} and {complement_kl:.1f}.",
        holds=lambda values: all(
            values[f"{name}_{quantity}"].low > 0.0
            and values[f"{name}_{quantity}"].high < values[f"{name}_kl"].low
            for name in ("clamp", "complement")
            for quantity in ("two_modes", "agreement")
        ),
        figures=[("survey", "formation")],
    ),
)
