"""The organisms of the benchmark: networks that a method is tried on, with their truth.

Those of `organism.family` that part the methods, and two of its own: one that is trained by the
recipe from sizes, and one with eight times as many tokens as any on which a setting was chosen.
Every organism follows from its name, the seed and the replicate alone; held-out ones are those of
a seed that nobody has tuned on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from simulate.constructions import clamp
from simulate.sampling import telling_hashes
from theory.domain import DomainError, check_integer
from train.organism import family
from train.organism.family import BETA, FULL, SAMPLED, Organism, Sizes, stream
from train.organism.names import Grade, Name, noise_name
from train.organism.truth import Failures, Truth
from train.reading.masks import CLAMP
from train.reading.subject import Subject
from train.training.scaled import scaled_recipe

Maker = Callable[[Sizes, np.random.Generator], Organism]

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.2)
TRAINED, MANY_TOKENS = "trained", "many_tokens"
MORE_TOKENS = 8
# a third of what the recipe from sizes takes by itself: masks are formed, and failures remain
VISITS = 4000
_STREAM, _NOISE = 5, 1000

SIZES = replace(FULL, sampled=20_000, levels=LEVELS)
SMALL = Sizes(n=64, d=24, m=6, sampled=2000, levels=(0.2, 0.8))


GRADES = {
    Grade.EXACT: "exact",
    Grade.BASIS: "another basis",
    Grade.MIXED: "two mechanisms",
    Grade.FAULTS: "faults",
    Grade.TRAINED: "trained",
    Grade.NOISE: "noise",
    Grade.TOKENS: "many tokens",
}


def trained_from_sizes(sizes: Sizes, rng: np.random.Generator) -> Organism:
    """Trained by the recipe from sizes, from a start that has the clamp's layer and no hashes."""
    seed, visits = int(rng.integers(2**31)), VISITS * min(1.0, sizes.n / SIZES.n)
    recipe = replace(scaled_recipe(sizes.n, sizes.k, sizes.d, seed, visits=visits), c=sizes.c)
    described = (
        f"Trained for {recipe.steps} steps by the recipe from sizes, from a clamp layer on random "
        "embeddings"
    )
    return family.trained_by(recipe, sizes.sampled, rng, TRAINED, described)


def with_many_tokens(sizes: Sizes, rng: np.random.Generator) -> Organism:
    """The clamp at eight times the tokens, and a third more bits, in another basis."""
    larger = replace(
        sizes, n=MORE_TOKENS * sizes.n, d=sizes.d * 4 // 3, m=sizes.m * 4 // 3, sampled=2048
    )
    hashes = telling_hashes(rng, larger.n, larger.d, larger.m)
    network = clamp(hashes, BETA).astype(np.float32)
    rate = family.sampled_failure_rate(network, larger.sampled, larger.k, larger.c, rng)
    planted = family.planted_truth(hashes, CLAMP, larger)
    truth = replace(planted, failures=Failures(None, rate, SAMPLED))
    described = f"The clamp construction of {larger.n} tokens"
    exact = Organism(MANY_TOKENS, Grade.TOKENS, described, network, truth)
    return family.disguised(exact, exact.name, exact.grade, rng)


def _noise(sizes: Sizes, rng: np.random.Generator, level: float) -> Organism:
    return family.noise_organism(sizes, level, rng)


def makers(sizes: Sizes) -> dict[str, Maker]:
    """What makes each organism, by its name, in ascending grade but for the noise at the end."""
    return {
        Name.CLAMP: family.clamp_organism,
        Name.COMPLEMENT: family.complement_organism,
        Name.CLAMP_DISGUISED: family.disguised_clamp_organism,
        Name.COMPLEMENT_DISGUISED: family.disguised_complement_organism,
        Name.MIXED_DISGUISED: family.disguised_mixed_organism,
        Name.FAULTY_DISGUISED: family.faulty_organism,
        TRAINED: trained_from_sizes,
        MANY_TOKENS: with_many_tokens,
        **{noise_name(level): partial(_noise, level=level) for level in sizes.levels},
    }


def chosen(names: Sequence[str], quick: bool = False) -> list[str]:
    """These organisms, or all if none is named; DomainError for a name that there is not."""
    known = list(makers(sizes_of(quick)))
    if unknown := [name for name in names if name not in known]:
        raise DomainError(f"organisms must be among {', '.join(known)}; got {', '.join(unknown)}")
    return list(dict.fromkeys(names or known))


def place_of(name: str, quick: bool = False) -> int:
    """The organism's number among all."""
    return list(makers(sizes_of(quick))).index(name)


def sizes_of(quick: bool) -> Sizes:
    """The sizes of a default and of a quick run."""
    return SMALL if quick else SIZES


@dataclass(frozen=True)
class Case:
    """An organism and, as the subject, what a method sees of it: the network and its task."""

    organism: Organism
    subject: Subject

    @property
    def truth(self) -> Truth:
        """What its proposals are scored against."""
        return self.organism.truth


def case(name: str, seed: int, replicate: int = 0, quick: bool = False) -> Case:
    """One organism; replicates of one seed are independent. DomainError for an unknown name.

    All levels of noise of a replicate are one network under growing multiples of one noise.
    """
    check_integer("seed", seed, 0)
    (name,) = chosen([name], quick)
    sizes = sizes_of(quick)
    known = makers(sizes)
    noise = [noise_name(level) for level in sizes.levels]
    place = _NOISE if name in noise else place_of(name, quick)
    made = known[name](sizes, stream(seed, _STREAM, replicate, place))
    for weights in vars(made.network).values():
        if isinstance(weights, np.ndarray):
            weights.flags.writeable = False  # no method may change what the next one sees
    return Case(replace(made, name=name), Subject(made.network, sizes.k, sizes.c))
