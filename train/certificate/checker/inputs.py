"""Inputs one by one, and what the structure of the weights says of each."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# inputs that are looked at together
BATCH = 128


class Inputs:
    """All inputs of a network, and what their masks say.

    Sums over them are of: inputs, those covered, covered tokens, bounds on failures and on total
    variation.
    """

    def __init__(self, net):
        self.net, self.threshold = net, 1.0 / (2 * net.k + 1)
        own = np.zeros((net.n, -(-net.h // 64) * 64), dtype=bool)
        own[:, : net.h] = net.own
        self.words = np.packbits(own, axis=1).view(np.uint64).T.copy()

    def part(self, first):
        """The sums over all inputs whose smallest token is `first`."""
        raise NotImplementedError

    def batches(self, first):
        """Those inputs in rows of tokens. In a batch only the last tokens differ, by 1 each."""
        n, k = self.net.n, self.net.k
        if k == 1:
            yield np.array([[first]])
            return
        for chosen in itertools.combinations(range(first + 1, n), k - 2):
            for start in range((first, *chosen)[-1] + 1, n, BATCH):
                tokens = np.empty((min(BATCH, n - start), k), np.intp)
                tokens[:, :-1], tokens[:, -1] = (first, *chosen), start + np.arange(len(tokens))
                yield tokens

    def run(self, jobs, progress=None):
        """The sums over all inputs."""
        found, every = np.zeros(7), math.comb(self.net.n, self.net.k)
        with ThreadPoolExecutor(jobs) as pool:
            for part in pool.map(self.part, range(self.net.n - self.net.k + 1)):
                found += part
                if progress:
                    progress(int(found[0]), every)
        return found

    def missing(self, tokens):
        """How many of each token's bits the inputs' members lack, [inputs, n]."""
        found = np.uint8(0) if self.net.h < 256 else np.int64(0)
        for word in self.words:
            absent = ~np.bitwise_or.reduce(word[tokens], axis=1)
            found = found + np.bitwise_count(absent[:, None] & word)
        return found

    def covered(self, tokens):
        """How many tokens miss no bit and are no members, [inputs]."""
        missed = False
        for word in self.words:
            absent = ~np.bitwise_or.reduce(word[tokens], axis=1)
            missed = missed | ((absent[:, None] & word) != 0)
        return self.net.n - self.net.k - np.count_nonzero(missed, axis=1)


class ByLevels(Inputs):
    """What the structure says of each input: a token's logit is bounded by how many bits it misses.

    The bounds hold for all alpha. They are taken relative to the lowest member's.
    """

    @np.errstate(all="ignore")
    def __init__(self, net):
        super().__init__(net)
        up, down = (x * net.scale for x in net.levels)
        sizes = (np.where(np.isfinite(x), np.abs(x), 0.0) for x in (up, down))
        rooms = [x * 2.0**-49 + net.logit_round for x in sizes]
        up, down = up + rooms[0], down + rooms[1]
        lowest = -down[0].max()
        self.most, self.least = up[0] - lowest, -down[0] - lowest
        # a lower bound may be lowered, so that none is infinite
        self.strong, self.weak = np.exp(self.most), np.exp(np.minimum(self.least, 500.0))
        shares = np.exp(up[1:] - lowest), np.exp(np.minimum(-down[1:] - lowest, 500.0))
        self.high, self.low = (np.where(np.isneginf(up[1:]), 0.0, x).ravel() for x in shares)

    @np.errstate(all="ignore")
    def part(self, first):
        found = np.zeros(7)
        for tokens in self.batches(first):
            missing = self.missing(tokens)
            covered = self.net.n - self.net.k - np.count_nonzero(missing, axis=1)
            missing = missing.astype(np.intp)
            missing *= self.net.n
            missing += np.arange(self.net.n)
            high = self.leak(tokens, missing, self.high, self.weak)
            doubt = ~(high < 0.999 * self.threshold)
            low = self.leak(tokens[doubt], missing[doubt], self.low, self.strong)
            found[:3] += [len(tokens), int(np.count_nonzero(covered)), int(covered.sum())]
            found[3:5] += [(low > 1.001 * self.threshold).sum(), doubt.sum()]
            # members whose logits differ by D at most are tanh(D / 4) from uniform among themselves
            uneven = self.most[tokens].max(axis=1) - self.least[tokens].min(axis=1)
            uneven = np.tanh(uneven / 4.0) + 1e-12
            found[5] += np.fmax(1.0 - 1.0 / (1.0 + low) - 1e-12, 0.0).sum()
            found[6] += np.fmin(uneven + 1.0 - 1.0 / (1.0 + high), 1.0).sum()
        return found

    @staticmethod
    def leak(tokens, missing, shares, members):
        """What the others have over what the members have."""
        of_all = shares.take(missing)
        of_all[np.arange(len(tokens))[:, None], tokens] = 0.0
        return of_all.sum(axis=1) / members[tokens].sum(axis=1)
