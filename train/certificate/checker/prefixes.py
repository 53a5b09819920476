"""Ranking without looking at every input: branch and bound over members and boxes of their alpha.

For a member a and a token t that misses bits, with gamma_u = rho_ut - rho_ua,

    l_a - l_t = constant_a - constant_t + sum_j alpha_j (lean_ja - lean_jt) + sum_u gamma_u f_u.

Some of the members are known, a among them, their alpha in a box; m others are free. Each f_u is
bounded by a sum over the free ones, so that the worst of them are found by sorting:

- where gamma_u < 0, with y_u = p + sum_j x_j, p what is known: f_u <= sum_j ReLU(p / m + x_j);
- where gamma_u > 0 and p > 0: f_u >= p + sum_j max(x_j, -tau), with tau so large that one such
  member makes up for all that the others may add; otherwise f_u >= 0;
- t misses at least `level` bits u, and f_u >= y_u of each of these: what alpha_j adds to them is at
  least as much as it adds to the `level` units of t to which j adds least, of those not j's own.

What is concave in alpha_j is least at 1 or c. Where the sum is too small the box is halved, or one
more member is known: each that may make it too small, in turn, and those before it are then none.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .network import top
from .reading import INF

# bounds for one first member, those of all tokens t counting 16 times as much as the cheapest
PATIENCE = 2**12
# alpha of the known members is halved to this share before the next is known, and at the end
COARSE, FINE = 2.0**-3, 2.0**-20


class Prefixes:
    """Whether members outrank whatever misses `level` bits by a margin that is wanted."""

    @np.errstate(all="ignore")
    def __init__(self, net, level, margin):
        self.net, self.level, self.margin = net, level, margin
        # rows are of the token t
        self.rho, self.lean = net.rho.T * net.scale, net.lean.T * net.scale
        self.constant = (net.constant - np.median(net.constant)) * net.scale
        others = np.where(net.own, -INF, self.rho).max(axis=0)
        # what a missing bit costs at least, whichever member is compared
        self.bit = np.where(net.own, np.maximum(self.rho - others, 0.0), 0.0)
        self.less, self.least = np.empty((net.n, net.n)), np.empty(net.n)
        for t in range(net.n):
            units, few = np.flatnonzero(net.own[t]), np.full(level, INF)
            adds = np.where(net.own[:, units], INF, self.bit[t, units] * net.read[:, units])
            adds = np.hstack([adds, np.tile(few, (net.n, 1))])
            self.less[t] = np.partition(adds, level - 1, axis=1)[:, :level].sum(axis=1)
            bias = np.concatenate([self.bit[t, units] * net.bias[units], few])
            self.least[t] = np.partition(bias, level - 1)[:level].sum()
        self.less -= self.lean
        self.rest = [top(np.maximum(net.c * net.read, 0.0), m - 1) for m in range(1, net.k)]
        self.room = 2.0 * net.logit_round * (1.0 + 2.0**-40) + self.rounding()

    def rounding(self):
        """How much a bound errs: by less than so many operations do, each on less than `size`."""
        net, k = self.net, self.net.k
        y = np.abs(net.bias) + k * net.c * np.abs(net.read).max(axis=0)
        weight = 2.0 * np.abs(self.rho).max(axis=0)
        size = weight @ (8.0 * (k + 2) * y) + np.abs(self.constant).max() * 2.0
        size += 4.0 * k * net.c * np.abs(self.lean).max()
        error = 2.0**-52 * (8 * net.h + 32 * k + 64) * size + 16.0 * net.error * net.scale
        error += weight @ ((4 * k + 8) * net.y_error) + 2.0**-900
        return error if size < 2.0**200 else INF

    def run(self, jobs, progress=None):
        """A margin that is proved of every input, at least the one wanted, or -inf."""
        least, n = INF, self.net.n
        if not self.room < INF:
            return -INF
        with ThreadPoolExecutor(jobs) as pool:
            for done, part in enumerate(pool.map(self.part, range(n)), start=1):
                least = min(least, part)
                if least == -INF:
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
                if progress:
                    progress(done, n)
        return least

    @np.errstate(all="ignore")
    def part(self, member):
        """The margin that is proved of this member."""
        net, least, spent = self.net, INF, 0.0
        others = np.delete(np.arange(net.n), member)
        boxes = [([member], np.array([[1.0, net.c]]), others, np.full(net.n, True))]
        while boxes:
            tokens, ends, others, free = boxes.pop()
            spent += 1.0 + 16.0 * len(others) / net.n
            if len(tokens) == net.k:
                low, shares = self.whole(tokens, ends, others), None
            else:
                low, shares = self.bound(tokens, ends, others, free)
            short = ~(low - self.room >= self.margin)
            least = min(least, (low[~short] - self.room).min(initial=INF))
            if not short.any():
                continue
            if spent > PATIENCE:
                return -INF
            low, others = low[short], others[short]
            width, wide = ends[:, 1] - ends[:, 0], (ends[:, 1] - ends[:, 0]).argmax()
            if width[wide] > (COARSE if shares is not None else FINE) * (net.c - 1.0):
                middle = (ends[wide, 0] + ends[wide, 1]) / 2.0
                for side in (0, 1):
                    half = ends.copy()
                    half[wide, 1 - side] = middle
                    boxes.append((tokens, half, others, free))
            elif shares is None:
                return -INF
            else:
                found, more = self.known(tokens, ends, others, free, shares[short])
                least, boxes = min(least, found), boxes + more
        return least

    def known(self, tokens, ends, others, free, shares):
        """The boxes with one more member known, and the margin of what needs none."""
        least, boxes, free = INF, [], free.copy()
        short = ~(shares - self.room >= self.margin)
        least = min(least, (shares[~short] - self.room).min(initial=INF))
        for token in np.flatnonzero(short.any(axis=0)):
            free[token] = False
            more = np.vstack([ends, [1.0, self.net.c]])
            boxes.append(([*tokens, token], more, others[short[:, token]], free.copy()))
        return least, boxes

    def parts(self, tokens, ends, others, slopes):
        """What is known of y_u, at least and at most, gamma, and the rest of l_a - l_t."""
        terms = ends[:, :, None] * self.net.read[tokens][:, None]
        least, most = terms.min(axis=1).sum(axis=0), terms.max(axis=1).sum(axis=0)
        fixed = self.constant[tokens[0]] - self.constant[others]
        fixed += (ends[:, :, None] * slopes[:, None]).min(axis=1).sum(axis=0)
        return (
            least + self.net.bias,
            most + self.net.bias,
            self.rho[others] - self.rho[tokens[0]],
            fixed,
        )

    def bound(self, tokens, ends, others, free):
        """At least l_a - l_t, a the first of the tokens, for each other token t; and at least what
        it is where one more member is known, [others, n].
        """
        net, m, a = self.net, self.net.k - len(tokens), tokens[0]
        slopes = self.less[others]
        slopes += self.lean[a]
        least, most, gamma, fixed = self.parts(tokens, ends, others, slopes[:, tokens].T)
        gamma -= np.where(net.own[tokens].any(axis=0), 0.0, self.bit[others])
        gain = np.maximum(gamma, 0.0)
        fixed += self.least[others] + gain @ np.maximum(least, 0.0)
        tau = np.maximum(most + self.rest[m - 1], 0.0)
        both = np.hstack([gain, np.maximum(-gamma, 0.0)])
        shares = np.full((len(others), net.n), INF)
        for alpha in (1.0, net.c):
            x = alpha * net.read
            down = np.maximum(np.where(net.c * net.read < -tau, -tau, x), -tau)
            down, up = np.where(least > 0.0, down, 0.0), np.maximum(most / m + x, 0.0)
            one = both @ np.hstack([down, -up]).T
            one += alpha * slopes
            np.minimum(shares, one, out=shares)
        shares[:, ~free] = shares[:, tokens] = INF
        shares[np.arange(len(others)), others] = INF
        ordered = np.sort(np.partition(shares, m - 1, axis=1)[:, :m], axis=1)
        low = fixed + ordered.sum(axis=1)
        # one more is known: itself, and the others at their least
        shares += (fixed + ordered[:, : m - 1].sum(axis=1))[:, None]
        return low, np.maximum(shares, low[:, None], out=shares)

    def whole(self, tokens, ends, others):
        """The same where all members are known."""
        slopes = (self.lean[tokens[0], tokens] - self.lean[np.ix_(others, tokens)]).T
        least, most, gamma, low = self.parts(tokens, ends, others, slopes)
        low += np.maximum(gamma, 0.0) @ np.maximum(least, 0.0)
        low -= np.maximum(-gamma, 0.0) @ np.maximum(most, 0.0)
        missed = ~self.net.own[tokens].any(axis=0)
        missing = (self.net.own[others] & missed).sum(axis=1)
        member = (others[:, None] == np.array(tokens)).any(axis=1)
        return np.where((missing < self.level) | member, INF, low)
