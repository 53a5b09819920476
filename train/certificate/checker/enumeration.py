"""Inputs one by one: bounds over the box of alpha, then over halves where that is not enough."""

import numpy as np

from .inputs import BATCH, Inputs
from .network import top
from .reading import INF

# tokens that are looked at again in the halves of a box
KEPT = 48


class Enumeration(Inputs):
    """Inputs of a network; whether they fail, and their total variation, over all alpha.

    precision: a box is halved where more of an input's alpha is in doubt to fail. Single precision
    is used where its rounding is small enough.
    """

    def __init__(self, net, precision):
        super().__init__(net)
        self.precision = precision
        rho, lean = net.rho.T * net.scale, net.lean * net.scale
        # what all tokens share is seen by no softmax
        constant = (net.constant - np.median(net.constant)) * net.scale
        # y_u is a sum of at most f, and at most `most`
        f = np.abs(net.bias) + net.k * net.c * np.abs(net.read).max(axis=0)
        most = np.maximum(top(net.most(net.read), net.k) + net.bias, 0.0) + 4.0 * net.y_error
        size = net.k * net.c * np.abs(lean).max() + np.abs(constant).max()
        size += (np.abs(rho) @ most).max()
        largest = max(size, f.max(), np.abs(rho).max(), np.abs(net.typical).max(), net.c)
        # an operation loses at most eps / 2 of what is added up by so many, or tiny in underflow
        steps = 2 * net.h + 5 * net.k + 32
        for self.dtype, eps, tiny in (("f4", 2.0**-23, 2.0**-70), ("f8", 2.0**-52, 2.0**-900)):
            self.y_error = 4.0 * net.y_error + (net.k + 9) * eps * f + tiny
            self.error = 4.0 * net.error * net.scale + 3.0 * steps * eps * size + tiny
            self.error += (np.abs(rho) @ self.y_error).max() + net.logit_round
            if self.error < 2.0**-6 and largest < 2.0**60:
                break
        tables = net.read, -rho, lean, constant, net.bias, net.typical, self.y_error
        same = [np.ascontiguousarray(x, self.dtype) for x in tables]
        self.read, self.cost, self.lean, self.constant, self.bias, self.typical, self.room = same
        self.peak = np.abs(self.cost).max(axis=0)
        # where alpha is free: what each member adds
        centre, radius = self.sides(1.0, float(net.c))
        self.radius, self.least = radius, centre * self.lean - radius * np.abs(self.lean)
        self.adds = [centre * self.lean + radius * np.abs(self.lean), centre * self.read]
        self.adds += [radius * np.abs(x) for x in (self.read, self.read - self.typical)]
        # a box is halved along so many coefficients at a time; a narrow one's middle is rounded
        self.halved = min(net.k, 3) if net.c - 1.0 > 2.0**-18 * net.c else 0
        self.kept = min(net.n - net.k, KEPT)

    @np.errstate(all="ignore")
    def part(self, first):
        found, batches = np.zeros(7), self.batches(first)
        boxes: list[np.ndarray] = []
        tokens = next(batches, None)
        while tokens is not None or (boxes and len(boxes[0])):
            if tokens is not None and not (boxes and len(boxes[0]) >= BATCH):
                covered = self.covered(tokens)
                found[:3] += [len(tokens), int(np.count_nonzero(covered)), int(covered.sum())]
                sums, undecided = self.whole(tokens)
                tokens = next(batches, None)
            else:
                now, boxes = [x[-BATCH:] for x in boxes], [x[:-BATCH] for x in boxes]
                sums, undecided = self.halves(now)
            found[3:] += sums
            boxes = joined(boxes, undecided) if boxes else undecided
        return found

    def whole(self, tokens):
        """`bound` where alpha is free, of one batch; what is in doubt is to be looked at again."""
        k, h, prefix, row = self.net.k, self.net.h, tokens[0, :-1], np.arange(len(tokens))[:, None]
        last = slice(tokens[0, -1], tokens[-1, -1] + 1)
        lean, *parts = (x[last] + x[prefix].sum(axis=0) for x in self.adds)
        level, spread, follow = self.units(*parts)
        ends = np.ones(tokens.shape), np.full(tokens.shape, float(self.net.c))
        sides, units = self.sides(*ends), (x[:, None] for x in (level, spread, follow))
        own, away = self.logits(tokens, tokens, *(x[:, None] for x in sides), *units)
        # the first members' part in the mean is known to every token
        cost = np.empty((self.net.n, 2 * h + 1), self.dtype)
        cost[:, 0], cost[:, 1 : h + 1] = 1.0, self.cost - self.cost[prefix].sum(axis=0) / k
        np.abs(cost[:, 1 : h + 1], out=cost[:, h + 1 :])
        rest, inside = self.cost[last] / k, self.least[tokens[:, None], tokens[:, :, None]]
        shift = (spread * np.abs(rest) - level * rest).sum(axis=1, keepdims=True)
        shift -= (inside.sum(axis=2) + self.constant[tokens]).sum(axis=1, keepdims=True) / k
        high = np.concatenate([shift, level, spread], axis=1) @ cost.T
        high += lean
        high += self.constant
        follow *= self.radius * k
        shift = -(follow * rest).sum(axis=1, keepdims=True)
        swing = np.concatenate([shift, follow], axis=1) @ cost[:, : h + 1].T
        high += np.abs(swing, out=swing)
        high[row, tokens] = -INF
        boxes = tokens, *ends, np.zeros(len(tokens))
        return self.bound(boxes, own[:, 0], away[:, 0], high, None)

    def halves(self, boxes):
        """`bound` of the parts that boxes are halved into, along what moves most."""
        tokens, low, high, depth, again, *others = boxes
        k, count, rank = self.net.k, 2**self.halved, np.arange(self.net.k)
        if k > self.halved:
            rank = np.argsort(np.argsort(-self.loose(tokens, low, high), axis=1), axis=1)[:, None]
        upper, half = np.arange(count)[:, None] >> rank & 1, (low + high)[:, None] / 2.0
        low = np.where(upper == 1, half, low[:, None])
        high = np.where((upper == 0) & (rank < self.halved), half, high[:, None])
        (centre, _), (_, radius) = self.sides(low, high), self.sides(low[:, :1], high[:, :1])
        read, wanted = self.read[tokens], np.concatenate([tokens, again], axis=1)
        parts = centre @ read, radius @ np.abs(read), radius @ np.abs(read - self.typical)
        found = self.logits(tokens, wanted, centre, radius, *self.units(*parts))
        middle, wide = (x.reshape(-1, wanted.shape[1]) for x in found)
        own, away, middle, wide = middle[:, :k], wide[:, :k], middle[:, k:], wide[:, k:]
        of = np.repeat(np.arange(len(tokens)), count)
        ends = (x.reshape(-1, k) for x in (low, high))
        boxes = tokens[of], *ends, depth[of] + self.halved, again, *(x[of] for x in others)
        return self.bound(boxes, own, away, middle + wide, middle - wide, of)

    def bound(self, boxes, own, away, up, down, of=None):
        """Sums over those boxes on which nothing is in doubt, and the others.

        boxes: tokens, both ends of alpha, and how often each has been halved; and, unless tokens
        are all looked at, which are, [boxes, kept], and of the others together the exponentials
        over those of the members, at most. Members' logits, relative to
        their mean, lie within away of own, others' between down and up, rounding apart.
        """
        tokens, low, high, depth, *before = boxes
        again, rest = before or (None, np.zeros(len(tokens)))
        error, k = 2.0 * self.error, self.net.k
        least, most = (own - away).min(axis=1), (own + away).max(axis=1)
        # Jensen: members' exponentials add up to k times that of their mean, at least
        weak = np.exp((own - away).astype(float)).sum(axis=1)
        factor = np.exp(error + 2.0**-11) / np.where(weak < INF, np.maximum(weak, k), k)
        leak_high = rest + added(np.exp(up, out=up)) * factor + 1e-30
        leak_low, doubt = np.zeros(len(tokens)), ~(leak_high < 0.999 * self.threshold)
        if down is not None and doubt.any():
            strong = np.exp((own + away)[doubt].astype(float)).sum(axis=1)
            leak_low[doubt] = added(np.exp(down[doubt])) * np.exp(-error - 2.0**-11) / strong
        fails, split = leak_low > 1.001 * self.threshold, doubt
        if again is not None:
            splits = self.halved > 0 and (high - low > 2.0**-18 * self.net.c).all(axis=1)
            split = doubt & ~fails & splits & (0.5**depth > self.precision)
        # members whose logits differ by D at most are tanh(D / 4) from uniform among themselves
        uneven = np.tanh((most - least + error) / 4.0)
        tv_low = np.fmax(1.0 - 1.0 / (1.0 + leak_low) - 1e-12, 0.0)
        tv_high = np.fmin(uneven + 1.0 - 1.0 / (1.0 + leak_high) + 1e-12, 1.0)
        sums = np.array([fails, doubt, tv_low, tv_high])[:, ~split] @ 0.5 ** depth[~split]
        undecided = [x[split] for x in (tokens, low, high, depth)]
        if again is None:
            again, rest = self.chosen(undecided[0], up[split])
            more = [again, rest * factor[split]]
        else:
            more = [again[of[split]], rest[split]]
        return sums, undecided + more

    def chosen(self, tokens, shares):
        """The tokens that matter most in these boxes, and what shares the others have together."""
        others = self.net.n - self.kept
        np.put_along_axis(shares, tokens, -1.0, axis=1)
        # what is no number comes last, among those that matter
        again = np.argpartition(shares, others, axis=1)[:, others:]
        np.put_along_axis(shares, np.concatenate([tokens, again], axis=1), 0.0, axis=1)
        return again, added(shares).astype(float)

    def sides(self, low, high):
        """Centre and radius."""
        return np.array([(low + high) / 2.0, (high - low) / 2.0], self.dtype)

    def loose(self, tokens, low, high):
        """How much each coefficient adds to the width of logits, roughly."""
        centre, radius = self.sides(low, high)[..., None]
        read = self.read[tokens]
        y, moved = self.bias + (centre * read).sum(axis=1), radius * np.abs(read)
        unsure = moved.sum(axis=1) + self.room > np.abs(y)
        apart = radius * np.abs(read - self.typical) * (y > 0.0)[:, None]
        return (moved * unsure[:, None] + apart) @ self.peak

    def units(self, y, width, rest):
        """level, spread, follow: f_u is within spread of level + s follow, for an s that is the
        same for all u.

        Where y_u may have either sign, f_u is 0 or y_u, as in the centre, and half, give or take
        half. y_u itself is followed as far as all tokens read `typical`, if that is better.
        """
        y, width = y + self.bias, width + self.room
        on, half = y > 0.0, np.maximum(width - np.abs(y), 0.0) * 0.5
        spread = half + np.where(on, np.minimum(rest, width), 0.0)
        follow = np.where(on & (rest < width), self.typical, 0.0).astype(self.dtype)
        return np.maximum(y, 0.0) + half, spread.astype(self.dtype), follow

    def logits(self, tokens, wanted, centre, radius, level, spread, follow):
        """Middle and width of the wanted tokens' logits, relative to the mean of the first of them,
        the members, over boxes of one radius.
        """
        k = self.net.k
        cost, constant = np.take(self.cost, wanted, axis=0), self.constant[wanted]
        lean = self.lean[tokens[:, :, None], wanted[:, None]]
        cost -= cost[:, :k].sum(axis=1, keepdims=True) / k
        lean -= lean[..., :k].sum(axis=2, keepdims=True) / k
        constant -= constant[:, :k].sum(axis=1, keepdims=True) / k
        units = np.concatenate([level, follow], axis=1) @ cost.transpose(0, 2, 1)
        middle, swing = np.split(units, 2, axis=1)
        middle += constant[:, None] + centre @ lean
        wide = spread @ np.abs(cost, out=cost).transpose(0, 2, 1) + radius @ np.abs(lean, out=lean)
        return middle, wide + np.abs(swing) * radius.sum(axis=2, keepdims=True)


def added(x):
    """Sums of rows; of exponentials they err, with those, by less than 2^-12 of themselves."""
    return x.sum(axis=1, dtype=float if x.shape[1] > 2**10 else None)


def joined(a, b):
    """Boxes and more boxes."""
    return [np.concatenate(pair) for pair in zip(a, b, strict=True)]
