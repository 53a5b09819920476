// The page checks its own arithmetic against Python's numbers.

const arithmetic = {
  union_size_law: ({ k, d, m }) => [...unionSizeLaw(k, d, m)],
  missing_bits_given_union: ({ d, m, w }) => [...missingBitsGivenUnion(d, m, w)],
  false_positive_rate: ({ k, d, m }) => falsePositiveRate(k, d, m),
  failure_probability: ({ n, k, d, m }) => failureProbability(n, k, d, m),
  classic: ({ k, d, m }) => classicRate(k, d, m),
  optimal_hashes_for_failure: ({ n, k, d }) => bestHashes(n, k, d).m,
  proportion: ({ successes, trials, confidence }) => clopperPearson(successes, trials, confidence),
  quenched_failure_probability: ({ bits, d, k }) => enumeratedFailure(familyOf(bits, d), k),
  quenched_expected_false_positives: ({ bits, d, k }) =>
    expectedFalsePositivesOf(familyOf(bits, d), k),
  construction: ({ bits, d, tokens, alpha, beta, mechanism }) => {
    const trace = construction(familyOf(bits, d), tokens, alpha, beta, mechanism);
    return [...trace.logits, ...trace.probabilities, trace.totalVariation, trace.kl];
  },
  trained: ({ tokens, alpha }) => {
    const { hidden, logits } = forward(embedded, tokens, alpha);
    const probabilities = softmax(logits);
    return [...hidden, ...logits, ...probabilities];
  },
  failure_threshold: ({ k }) => failureThreshold(k),
};
const embedded = network;

/** How many of Python's numbers there are, and the largest relative error over all of them. */
function selfCheck(golden) {
  let [count, worst] = [0, 0];
  for (const { name, given, expected } of golden) {
    const found = [arithmetic[name](given)].flat();
    const wanted = [expected].flat();
    // far below the largest of its kind a number is rounding
    const floor = 1e-12 * Math.max(...wanted.map(Math.abs), 1e-300);
    count += wanted.length;
    if (found.length !== wanted.length) worst = Infinity;
    wanted.forEach((value, i) => {
      const error = Math.abs(found[i] - value) / Math.max(Math.abs(value), floor);
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    });
  }
  return { count, worst };
}
