// Exact theory in doubles: the recurrences of theory/, for widths up to LARGEST_WIDTH.

const LARGEST_WIDTH = 512; // C(512, 256) = 5e152: products of two such numbers still fit a double
const CONFIDENCE = 0.95;

const pascalRows = [Float64Array.of(1)];

/** C(n, k) for n <= LARGEST_WIDTH, from Pascal's triangle: sums only, no cancellation. */
function choose(n, k) {
  if (k < 0 || k > n) return 0;
  while (pascalRows.length <= n) {
    const last = pascalRows[pascalRows.length - 1];
    const next = new Float64Array(last.length + 1).fill(1);
    for (let i = 1; i < last.length; i++) next[i] = last[i - 1] + last[i];
    pascalRows.push(next);
  }
  return pascalRows[n][k];
}

/** The number of k-sets of n tokens, any n; exact while it is below 2^53. */
function countSets(n, k) {
  if (k > n) return 0;
  let sets = 1;
  for (let i = 0; i < k; i++) sets = (sets * (n - i)) / (i + 1);
  return sets;
}

/** Exact: P(W = w), w = 0..d, for the union of k random m-subsets of [d]: a Markov chain. */
function unionSizeLaw(k, d, m) {
  const all = choose(d, m);
  let law = new Float64Array(d + 1);
  law[m] = 1;
  for (let added = 1; added < k; added++) {
    const grown = new Float64Array(d + 1);
    for (let w = m; w <= d; w++) {
      if (law[w] === 0) continue;
      for (let a = 0; a <= Math.min(m, d - w); a++) {
        grown[w + a] += law[w] * ((choose(w, m - a) * choose(d - w, a)) / all);
      }
    }
    law = grown;
  }
  return law;
}

/** Exact: f(w) = C(w, m) / C(d, m), the probability that a union of w bits covers a non-member. */
function coverage(d, m, w) {
  return choose(w, m) / choose(d, m);
}

/** Exact: P(some false positive | W = w) = 1 - (1 - f(w))^(n - k). */
function failureGivenUnion(n, k, d, m, w) {
  const f = coverage(d, m, w);
  if (n === k) return 0;
  return f >= 1 ? 1 : -Math.expm1((n - k) * Math.log1p(-f));
}

function meanOverUnions(k, d, m, value) {
  const law = unionSizeLaw(k, d, m);
  let sum = 0;
  for (let w = m; w <= d; w++) if (law[w] > 0) sum += law[w] * value(w);
  return sum;
}

/** Exact, annealed: FPR, the probability that one given non-member is a false positive. */
function falsePositiveRate(k, d, m) {
  return meanOverUnions(k, d, m, (w) => coverage(d, m, w));
}

/** Exact, annealed: P_fail, the probability that a random input has a false positive. */
function failureProbability(n, k, d, m) {
  return meanOverUnions(k, d, m, (w) => failureGivenUnion(n, k, d, m, w));
}

/** The textbook's approximation of FPR: (1 - e^(-k m / d))^m. */
function classicRate(k, d, m) {
  return Math.pow(-Math.expm1((-k * m) / d), m);
}

/** What the textbook's rate says of an input: 1 - (1 - FPR)^(n - k). */
function classicFailure(n, k, d, m) {
  return n === k ? 0 : -Math.expm1((n - k) * Math.log1p(-classicRate(k, d, m)));
}

/** Exact: P(M = s | W = w), s = 0..m, for the bits M that a non-member misses. */
function missingBitsGivenUnion(d, m, w) {
  return Float64Array.from(
    { length: m + 1 },
    (_, s) => (choose(w, m - s) * choose(d - w, s)) / choose(d, m),
  );
}

/** The m with the smallest P_fail, found by descent from a first guess; P_fail has one valley. */
function bestHashes(n, k, d, guess = Math.round((d / k) * Math.LN2)) {
  let m = Math.min(Math.max(guess, 1), d);
  let failure = failureProbability(n, k, d, m);
  for (const direction of [-1, 1]) {
    for (let next = m + direction; next >= 1 && next <= d; next += direction) {
      const candidate = failureProbability(n, k, d, next);
      if (candidate >= failure) break;
      [m, failure] = [next, candidate];
    }
  }
  return { m, failure };
}

// ---- one fixed family of hashes (quenched) ----

/** Whether enumerating all C(n, k) inputs of a family takes well under a second. */
function canEnumerate(family, k) {
  return countSets(family.n, k) * family.n * family.words <= 3e7;
}

/** Exact, quenched: P_fail of these very masks, by looking at each of the C(n, k) inputs. */
function enumeratedFailure(family, k) {
  const { n, words, masks } = family;
  const unions = Array.from({ length: k + 1 }, () => new Uint32Array(words));
  let failures = 0;
  const extend = (depth, first) => {
    if (depth === k) {
      let covered = 0;
      for (let token = 0; token < n; token++) covered += covers(unions[k], masks, token) ? 1 : 0;
      if (covered > k) failures += 1;
      return;
    }
    for (let token = first; token <= n - (k - depth); token++) {
      for (let word = 0; word < words; word++) {
        unions[depth + 1][word] = unions[depth][word] | masks[token * words + word];
      }
      extend(depth + 1, token + 1);
    }
  };
  extend(0, 0);
  return failures / countSets(n, k);
}

/**
 * Exact, quenched: E#FP of these very masks, by inclusion-exclusion over the bits left uncovered.
 * Its integers are exact in doubles while C(n, k) 2^m < 2^53; null where they are not.
 */
function expectedFalsePositivesOf(family, k) {
  const { n, bits } = family;
  const most = bits.reduce((longest, own) => Math.max(longest, own.length), 0);
  const tokensOf = countSets(n, k) * n;
  if (most > 16 || countSets(n, k) * 2 ** most >= 2 ** 53 || tokensOf >= 2 ** 53) return null;
  let inputs = 0;
  for (let token = 0; token < n; token++) {
    const own = bits[token];
    const avoiding = new Int32Array(2 ** own.length);
    for (let other = 0; other < n; other++) {
      if (other === token) continue;
      let free = 0;
      own.forEach((bit, i) => (free |= owns(family, other, bit) ? 0 : 1 << i));
      avoiding[free] += 1;
    }
    own.forEach((_, i) => {
      for (let set = 0; set < avoiding.length; set++) {
        if (!(set & (1 << i))) avoiding[set] += avoiding[set | (1 << i)];
      }
    });
    for (let set = 0; set < avoiding.length; set++) {
      inputs += (popCount(set) % 2 ? -1 : 1) * countSets(avoiding[set], k);
    }
  }
  return inputs / countSets(n, k);
}

function popCount(word) {
  let count = 0;
  for (let rest = word; rest; rest &= rest - 1) count += 1;
  return count;
}

// ---- Clopper-Pearson interval ----

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];

/** ln Gamma(x), x >= 1/2 (Lanczos, g = 7). */
function logGamma(x) {
  const y = x - 1;
  const series = LANCZOS.reduce((sum, c, i) => (i ? sum + c / (y + i) : c), 0);
  const t = y + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(series);
}

/** The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz). */
function incompleteBeta(x, a, b) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x),
  );
  const tiny = 1e-300;
  let c = 1;
  let denominator = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
  let fraction = denominator;
  for (let i = 1; i < 100000; i++) {
    const even = (i * (b - i) * x) / ((a + 2 * i - 1) * (a + 2 * i));
    const odd = (-(a + i) * (a + b + i) * x) / ((a + 2 * i) * (a + 2 * i + 1));
    let change = 1;
    for (const term of [even, odd]) {
      denominator = 1 / (1 + term * denominator || tiny);
      c = 1 + term / c || tiny;
      change = denominator * c;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return (front * fraction) / a;
}

/** The x with I_x(a, b) = level, by bisection. */
function betaQuantile(level, a, b) {
  let [low, high] = [0, 1];
  for (let i = 0; i < 200 && high - low > 1e-13 * high; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Clopper-Pearson interval of a proportion from independent trials; never under-covers. */
function clopperPearson(successes, trials, confidence = CONFIDENCE) {
  const tail = (1 - confidence) / 2;
  return [
    successes === 0 ? 0 : betaQuantile(tail, successes, trials - successes + 1),
    successes === trials ? 1 : betaQuantile(1 - tail, successes + 1, trials - successes),
  ];
}

// ---- one output ----

/** The softmax of the logits times `scale`. */
function softmax(logits, scale = 1) {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(scale * (logit - top)));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Distance of an output from 1/k on its members: total variation; KL(target || output), nats. */
function divergence(probabilities, tokens) {
  const k = tokens.length;
  const members = new Set(tokens);
  let distance = 0;
  let kl = 0;
  probabilities.forEach((probability, token) => {
    distance += Math.abs(probability - (members.has(token) ? 1 / k : 0));
  });
  for (const token of tokens) kl -= Math.log(k * probabilities[token]) / k;
  return { totalVariation: distance / 2, kl };
}
