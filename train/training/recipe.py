"""Everything that decides a trained network's weights, as frozen records; needs no PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from theory.domain import DomainError, check_code, check_integer, check_real, check_task

Start = Literal["gaussian", "clamp", "exact"]
Precision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "cuda"]
MOST_SETS = 2**25
PARAMETERS = ("W_E", "W_in", "b_in", "W_out", "W_U", "V")
# the logarithm of the factor of all logits, a parameter where there is a final_scale_rate
LOG_SCALE = "log_scale"


@dataclass(frozen=True)
class Task:
    """Sizes and laws of the inputs; DomainError unless 1 <= k <= n, c >= 1, target_scale >= 0.

    n: vocabulary size. k: active tokens in one input. c: largest coefficient. target_scale:
    standard deviation of the target logits before centring, nats; 0 is the uniform task.
    """

    n: int
    k: int
    c: float = 2.0
    target_scale: float = 0.0

    def __post_init__(self) -> None:
        check_task(self.n, self.k)
        check_real("c", self.c, 1.0, closed=True)
        check_real("target_scale", self.target_scale, 0.0, closed=True)


@dataclass(frozen=True)
class Recipe:
    """Task, start, optimiser and schedule. Raises DomainError for a field outside its range."""

    n: int = 512
    """Vocabulary size."""
    d: int = 64
    """Residual width."""
    h: int | None = None
    """Hidden width. If it is not given, d."""
    k: int = 3
    """Active tokens in one input, 1..n."""
    c: float = 2.0
    """Largest coefficient: alpha ~ U[1, c]."""
    target_scale: float = 0.0
    """Standard deviation of the target logits, nats. Above 0, the targets are not uniform."""
    steps: int = 12_000
    """Optimiser steps."""
    batch: int = 512
    """Fresh inputs per step."""
    tokens_a_step: int | None = None
    (
        "Tokens that one step knows, k+1..n. Its inputs are drawn from them, its softmax is over "
        "them, and only their rows change. If it is not given, n."
    )
    steps_a_part: int = 1
    """Consecutive steps that know the same tokens, where a step does not know all of them."""
    final_share: float = 0.0
    """Share of the steps, at the end, that know final_tokens tokens and take final_batch inputs."""
    final_tokens: int | None = None
    """Tokens that one step of the final share knows. If it is not given, n."""
    final_batch: int | None = None
    """Fresh inputs per step of the final share. If it is not given, batch."""
    final_scale_rate: float = 0.0
    """Rate of the logarithm of a factor of all logits, learned in the final share. 0: none."""
    final_rate_factor: float = 1.0
    """Rates of W_E, V and the layer in the final share, in units of those before."""
    seed: int = 0
    """Seed of the start and of all inputs."""
    start: Start = "gaussian"
    (
        "gaussian: W_in, W_out, W_U ~ N(0, 1/rows). clamp: the same with W_in = I and W_out = -I, "
        "so that the layer cuts off what is positive; the hashes are still to be learned. exact: "
        "the clamp construction with random hashes of m bits."
    )
    embedding_scale: float = 1.0
    """Standard deviation of W_E (and V) at the start; for exact, the value of an owned entry."""
    readout_scale: float = 1.0
    """Standard deviation of W_U at the start, in units of 1/sqrt(d); not for start exact."""
    bias: float = 0.0
    """b_in at the start, in units of embedding_scale; exact has its own."""
    m: int | None = None
    """Hash bits per token of the exact start, 1..d. If it is not given, those of least P_fail."""
    tied: bool = False
    """Keep W_U = tie W_E^T / (embedding_scale sqrt(d)) throughout."""
    tied_share: float = 0.0
    """Share of the steps, at the start, with a tied W_U, which then learns. 0..1, 1 excluded."""
    tie: float = 1.0
    """W_U where it is tied, in units of W_E^T / (embedding_scale sqrt(d))."""
    frozen: tuple[str, ...] = ()
    """Names of parameters that stay as they start."""
    held_out: float = 0.0
    (
        "Share of all token sets that training never draws, 0..1, 1 excluded. The network is "
        "judged on inputs that include them. Above 0, C(n, k) must be at most 33,554,432."
    )
    layer: bool = True
    """Whether there is a ReLU layer. Without it W_in, b_in and W_out stay 0."""
    shuffled_targets: bool = False
    """Train on targets that belong to other inputs: a control, with nothing to learn."""
    learning_rate: float = 1e-2
    """Largest learning rate of AdamW, for all weights but the embeddings."""
    embedding_rate: float | None = None
    """Largest learning rate for W_E and V. If it is not given, learning_rate."""
    readout_rate: float | None = None
    """Largest learning rate for W_U. If it is not given, learning_rate."""
    final_readout_factor: float = 1.0
    """Largest learning rate for W_U in the final share, in units of readout_rate."""
    second_moment: float = 0.99
    """AdamW's beta_2, the decay of averaged squared gradients, 0..1, 1 excluded. beta_1 is 0.9."""
    weight_decay: float = 0.01
    (
        "Decoupled weight decay of all but the embeddings: the share that a weight loses in a "
        "step is this times the learning rate."
    )
    embedding_decay: float | None = None
    """Weight decay of W_E and V. If it is not given, weight_decay."""
    evenness: float = 0.0
    (
        "How strongly tokens with fewer hash bits than the mean are given more: how far a step "
        "pushes the undecided entries of W_E W_in for each missing bit, in units of the "
        "embeddings' rate; W_E moves by that times W_in^T. In the final share undecided entries "
        "are also pushed to their nearer level."
    )
    evenness_interval: int = 1
    """Every how many steps hashes are evened out; each time this many times as far."""
    warmup: int = 100
    """Steps in which the rate rises linearly to its largest."""
    cooling: float = 1.0
    """The rate then falls as ((1 + cos(pi step/steps)) / 2)^cooling."""
    precision: Precision = "float32"
    """bfloat16 runs the matrix products under autocast; weights and optimiser stay float32."""

    def __post_init__(self) -> None:
        self.task()
        for name in ("d", "hidden", "steps", "batch"):
            check_integer(name.replace("hidden", "h"), getattr(self, name), 1)
        for name in ("seed", "warmup"):
            check_integer(name, getattr(self, name), 0)
        for name in ("embedding_scale", "readout_scale", "learning_rate", "cooling"):
            check_real(name, getattr(self, name), 0.0)
        check_real("embedding_rate", self.embedding_learning_rate, 0.0)
        check_real("readout_rate", self.readout_learning_rate, 0.0)
        for name in ("final_rate_factor", "final_readout_factor"):
            check_real(name, getattr(self, name), 0.0)
        for name in ("second_moment", "final_share"):
            check_real(name, getattr(self, name), 0.0, closed=True)
        if self.second_moment >= 1.0:
            raise DomainError(f"second_moment must be below 1; got {self.second_moment:g}")
        if self.final_share > 1.0:
            raise DomainError(f"final_share must be at most 1; got {self.final_share:g}")
        if self.final_batch is not None:
            check_integer("final_batch", self.final_batch, 1)
        check_real("final_scale_rate", self.final_scale_rate, 0.0, closed=True)
        if self.final_scale_rate and (self.tied or "W_U" in self.frozen):
            raise DomainError(
                f"final_scale_rate must be 0 where W_U is tied throughout or frozen; got "
                f"{self.final_scale_rate:g}"
            )
        check_real("tie", self.tie, 0.0)
        check_real("tied_share", self.tied_share, 0.0, closed=True)
        if self.tied_share >= 1.0:
            raise DomainError(
                f"tied_share must be below 1; got {self.tied_share:g}: tied ties W_U throughout"
            )
        if self.tied_share and not self.trained - {"W_U", LOG_SCALE}:
            raise DomainError(
                f"tied_share must be 0 where nothing but W_U is trained; got {self.tied_share:g}"
            )
        if self.tied_share and (self.tied or "W_U" in self.frozen):
            raise DomainError(
                f"tied_share must be 0 where W_U is tied throughout or frozen; got "
                f"{self.tied_share:g}"
            )
        check_integer("steps_a_part", self.steps_a_part, 1)
        for name in ("tokens_a_step", "final_tokens"):
            tokens = getattr(self, name)
            if tokens is None:
                continue
            check_integer(name, tokens, 1)
            if not (self.k < tokens <= self.n or tokens == self.n):
                raise DomainError(
                    f"{name} must be above k = {self.k} and at most n = {self.n}; got {tokens}"
                )
        check_real("weight_decay", self.weight_decay, 0.0, closed=True)
        check_real("embedding_decay", self.embedding_weight_decay, 0.0, closed=True)
        check_real("evenness", self.evenness, 0.0, closed=True)
        check_integer("evenness_interval", self.evenness_interval, 1)
        if self.evenness and not self.layer:
            raise DomainError(
                f"evenness must be 0 where there is no layer to read bits; got {self.evenness:g}"
            )
        check_real("bias", self.bias, -math.inf)
        check_real("held_out", self.held_out, 0.0, closed=True)
        if self.held_out >= 1.0:
            raise DomainError(f"held_out must be below 1; got {self.held_out:g}")
        if self.held_out and (sets := math.comb(self.n, self.k)) > MOST_SETS:
            raise DomainError(
                f"held_out must be 0 where C(n, k) is over {MOST_SETS:,}; got C(n, k) = {sets:,}"
            )
        if self.m is not None:
            check_code(self.k, self.d, self.m)
        for name, choices in (("start", get_args(Start)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise DomainError(
                    f"{name} must be among {', '.join(choices)}; got {getattr(self, name)}"
                )
        unknown = sorted({*self.frozen} - {*PARAMETERS})
        if unknown:
            raise DomainError(
                f"frozen must be among {', '.join(PARAMETERS)}; got {', '.join(unknown)}"
            )
        if not self.trained:
            raise DomainError("frozen must leave a parameter to train; all of them are frozen")
        if self.start != "gaussian" and self.hidden != self.d:
            raise DomainError(f"h must be d = {self.d} for start {self.start}; got {self.hidden}")
        if self.tied and "W_U" in self.frozen:
            raise DomainError("frozen must not hold W_U where it is tied")

    @property
    def trained(self) -> set[str]:
        """Names of the parameters that training changes."""
        absent = {"W_U"} if self.tied else set()
        if not self.target_scale:
            absent.add("V")
        if not self.layer:
            absent |= {"W_in", "b_in", "W_out"}
        factor = {LOG_SCALE} if self.final_scale_rate else set()
        return {*PARAMETERS, *factor} - {*self.frozen} - absent

    @property
    def hidden(self) -> int:
        """Hidden width."""
        return self.d if self.h is None else self.h

    @property
    def embedding_learning_rate(self) -> float:
        """Largest step for the embeddings."""
        return self.learning_rate if self.embedding_rate is None else self.embedding_rate

    @property
    def readout_learning_rate(self) -> float:
        """Largest step for W_U."""
        return self.learning_rate if self.readout_rate is None else self.readout_rate

    @property
    def final_readout_learning_rate(self) -> float:
        """Largest step for W_U in the final share."""
        return self.readout_learning_rate * self.final_readout_factor

    @property
    def final_step(self) -> int:
        """The first step, 0-based, of the final share."""
        return self.steps - round(self.final_share * self.steps)

    def tied_by(self, step: int) -> float | None:
        """The factor of W_E^T in the tied readout of that step, 0-based; None where W_U learns."""
        if not self.tied and step >= int(self.tied_share * self.steps):
            return None
        return self.tie / (self.embedding_scale * math.sqrt(self.d))

    def tokens_at(self, step: int) -> int:
        """How many tokens that step, 0-based, knows."""
        known = self.tokens_a_step if step < self.final_step else self.final_tokens
        return self.n if known is None else known

    def batch_at(self, step: int) -> int:
        """How many inputs that step, 0-based, draws."""
        final = self.final_batch is not None and step >= self.final_step
        return self.final_batch or self.batch if final else self.batch

    @property
    def embedding_weight_decay(self) -> float:
        """Decoupled weight decay of the embeddings."""
        return self.weight_decay if self.embedding_decay is None else self.embedding_decay

    def task(self) -> Task:
        """The inputs it is trained on."""
        return Task(self.n, self.k, self.c, self.target_scale)


@dataclass(frozen=True)
class Execution:
    """How a recipe is carried out; it decides the last bits of the weights."""

    device: Device = "cpu"
    """Where the tensors are."""
    threads: int = 1
    """PyTorch's and NumPy's threads on the CPU; small matrices are soonest multiplied by one."""
    compile: bool = False
    """Run the forward pass through torch.compile: no faster on a CPU, where it needs a compiler."""

    def __post_init__(self) -> None:
        check_integer("threads", self.threads, 1)
