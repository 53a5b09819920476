"""The symbol table: one letter per quantity, the same in formulas, flags, figures and text."""

from __future__ import annotations

import sympy as sp

n = sp.Symbol("n", integer=True, positive=True)
k = sp.Symbol("k", integer=True, positive=True)
d = sp.Symbol("d", integer=True, positive=True)
m = sp.Symbol("m", integer=True, positive=True)
beta = sp.Symbol("beta", positive=True)
epsilon = sp.Symbol("epsilon", positive=True)
delta = sp.Symbol("delta", positive=True)
rho = sp.Symbol("rho", positive=True)
w = sp.Symbol("w", integer=True, nonnegative=True)
s = sp.Symbol("s", integer=True, nonnegative=True)
x = sp.Symbol("x", integer=True, nonnegative=True)
t = sp.Symbol("t", nonnegative=True)
L = sp.Symbol("L", nonnegative=True)
Q = sp.Symbol("Q", nonnegative=True)

N = n - k
q = (1 - m / d) ** k
p = 1 - q
r = q / p

MEANING = {
    n: "vocabulary size, tokens (Bloom filters: size of the queried universe)",
    k: "active tokens in one input, 1 <= k <= n (inserted items)",
    d: "residual width (number of bits)",
    m: "hash bits per token, 1 <= m <= d (number of hash functions)",
    beta: "logit scale, the inverse temperature of the softmax",
    epsilon: "failure probability of one input, P_fail",
    delta: "total variation allowed where there is no false positive",
    rho: "density of independent Bernoulli hash bits",
    w: "size of the union of the k members' hashes",
    s: "bits of a non-member's hash that the union misses",
    x: "number of false positives of one input",
    t: "excess of the union's size over its mean, or an integration variable",
    L: "leakage: sum over the non-members of e^(-beta s)",
    Q: "squared leakage: sum over the non-members of e^(-2 beta s)",
}
