// Forward passes. A trace holds every intermediate value of one, for the pictures and the facts.

/** What every trace has in common, once its logits are known. */
function finishTrace(trace, family, tokens) {
  const { columns } = trace;
  const union = new Uint8Array(columns);
  for (const token of tokens) for (const bit of family.bits[token]) union[bit] = 1;
  const missing = family.bits.map((own) => own.reduce((sum, bit) => sum + 1 - union[bit], 0));
  const members = new Set(tokens);
  const falsePositives = [];
  missing.forEach((bits, token) => {
    if (bits === 0 && !members.has(token)) falsePositives.push(token);
  });
  const probabilities = softmax(trace.logits);
  return {
    ...trace,
    family,
    tokens,
    members,
    union,
    unionSize: union.reduce((sum, bit) => sum + bit, 0),
    missing,
    falsePositives,
    probabilities,
    ...divergence(probabilities, tokens),
  };
}

/**
 * The construction's forward pass. clamp: x' = x - ReLU(x - 1) and logit_i = beta sum of x' over
 * S_i. complement: coordinates of their own receive -ReLU(1 - x), which the readout adds up.
 * levelled: an output bias puts the full overlap at logit 0, for hashes of unequal sizes.
 */
function construction(family, tokens, alpha, beta, mechanism, levelled = false) {
  const columns = family.d;
  const contributions = tokens.map((token, j) => {
    const row = new Float64Array(columns);
    for (const bit of family.bits[token]) row[bit] = alpha[j];
    return row;
  });
  const before = new Float64Array(columns);
  for (const row of contributions) row.forEach((value, bit) => (before[bit] += value));
  const clamp = mechanism === "clamp";
  const hidden = before.map((x) => Math.max(clamp ? x - 1 : 1 - x, 0));
  const after = before.map((x, bit) => (clamp ? x : 0) - hidden[bit]);
  const logits = Float64Array.from(
    family.bits,
    (own) => beta * own.reduce((sum, bit) => sum + after[bit], levelled && clamp ? -own.length : 0),
  );
  const threshold = new Float64Array(columns).fill(1);
  const trace = {
    mechanism,
    levelled,
    columns,
    alpha,
    beta,
    contributions,
    before,
    threshold,
    hidden,
    after,
  };
  return finishTrace({ ...trace, logits }, family, tokens);
}

/** x W for a row vector x and a row-major matrix W [rows, columns]. */
function timesMatrix(x, matrix, columns) {
  const product = new Float64Array(columns);
  x.forEach((value, row) => {
    if (value === 0) return;
    const start = row * columns;
    for (let column = 0; column < columns; column++)
      product[column] += value * matrix[start + column];
  });
  return product;
}

/**
 * A trained network from its tensors (row-major): weights, their products, masks. given: what the
 * project's own analysis found, { read, write } as masks [n, h] and clampUnits; without it the
 * page splits the products itself.
 */
function trainedNetwork({ n, d, h, k, c, tensors, given = null }) {
  const product = (left, right, rows, inner, columns) => {
    const out = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      out.set(
        timesMatrix(left.subarray(row * inner, (row + 1) * inner), right, columns),
        row * columns,
      );
    }
    return out;
  };
  const into = product(tensors.W_E, tensors.W_in, n, d, h); // W_E W_in [n, h]
  const out = product(tensors.W_out, tensors.W_U, h, d, n); // W_out W_U [h, n]
  const { read, write, clampUnits } = given ?? splitUnits(n, h, into, out);
  const bits = Array.from({ length: n }, (_, token) => {
    const own = [];
    for (let unit = 0; unit < h; unit++) if (read[token * h + unit]) own.push(unit);
    return own;
  });
  let agree = 0;
  read.forEach((bit, i) => (agree += bit === write[i] ? 1 : 0));
  return {
    n,
    d,
    h,
    k,
    c,
    ...tensors,
    into,
    out,
    read,
    clampUnits,
    agreement: agree / (n * h),
    family: familyOf(bits, h),
    meanBits: bits.reduce((sum, own) => sum + own.length, 0) / n,
  };
}

/** Masks of both products, and how many units are pushed on, not off, by the tokens they own. */
function splitUnits(n, h, into, out) {
  const reading = unitMasks(n, h, (token, unit) => into[token * h + unit]);
  const writing = unitMasks(n, h, (token, unit) => out[unit * n + token]);
  const clampUnits = reading.raised.reduce((sum, raised) => sum + raised, 0);
  return { read: reading.masks, write: writing.masks, clampUnits };
}

/**
 * Each unit's entries are split in two where two normal modes of one width explain them best
 * (largest classification likelihood: Symons 1981); the rarer kind is the unit's mask.
 * raised[unit]: whether that kind is the larger one.
 */
function unitMasks(n, h, entry) {
  const masks = new Uint8Array(n * h);
  const raised = new Uint8Array(h);
  for (let unit = 0; unit < h; unit++) {
    const values = Float64Array.from({ length: n }, (_, token) => entry(token, unit));
    const cut = bestSplit(values.slice().sort());
    if (cut === null) continue;
    raised[unit] = 2 * cut.above <= n ? 1 : 0;
    values.forEach((value, token) => {
      masks[token * h + unit] = value > cut.below === (raised[unit] === 1) ? 1 : 0;
    });
  }
  return { masks, raised };
}

/** The largest value below the best split of ascending values, and how many lie above it. */
function bestSplit(sorted) {
  const n = sorted.length;
  const mean = sorted.reduce((a, b) => a + b, 0) / n;
  const total = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
  let [cumulative, best, found] = [0, -Infinity, null];
  for (let i = 1; i < n; i++) {
    cumulative += (sorted[i - 1] - mean) / n;
    if (sorted[i] === sorted[i - 1]) continue;
    const low = i / n;
    const explained = Math.min(cumulative ** 2 / (low * (1 - low)) / total, 1);
    const left = Math.max(1 - explained, n * Number.EPSILON);
    const gain = low * Math.log(low) + (1 - low) * Math.log1p(-low) - 0.5 * Math.log(left);
    if (gain > best) [best, found] = [gain, { below: sorted[i - 1], above: n - i }];
  }
  return found;
}

/** The trained network's logits, and what happens on the way, in its hidden basis. */
function forward(network, tokens, alpha) {
  const { n, d, h } = network;
  const x = new Float64Array(d);
  tokens.forEach((token, j) => {
    for (let i = 0; i < d; i++) x[i] += alpha[j] * network.W_E[token * d + i];
  });
  const before = timesMatrix(x, network.W_in, h);
  const hidden = before.map((value, unit) => Math.max(value + network.b_in[unit], 0));
  const written = timesMatrix(hidden, network.W_out, d);
  const final = x.map((value, i) => value + written[i] + (network.b_out ? network.b_out[i] : 0));
  const logits = timesMatrix(final, network.W_U, n);
  if (network.b_U) logits.forEach((_, token) => (logits[token] += network.b_U[token]));
  return { before, hidden, final, logits };
}

/**
 * The trained network's forward pass as a trace: its units stand where the bits stood. The
 * logits are counted from the members' mean, which no softmax notices.
 */
function trained(network, tokens, alpha) {
  const { h } = network;
  const { before, hidden, final, logits } = forward(network, tokens, alpha);
  const contributions = tokens.map((token, j) =>
    Float64Array.from({ length: h }, (_, unit) => alpha[j] * network.into[token * h + unit]),
  );
  const level = tokens.reduce((sum, token) => sum + logits[token], 0) / tokens.length;
  logits.forEach((_, token) => (logits[token] -= level));
  const threshold = Float64Array.from(network.b_in, (bias) => -bias);
  // a network of the complement kind keeps its union in what fires, not in the residual stream
  const readsHidden = 2 * network.clampUnits < h;
  const after = readsHidden ? hidden.map((value) => -value) : timesMatrix(final, network.W_in, h);
  const trace = {
    mechanism: "trained",
    columns: h,
    alpha,
    contributions,
    before,
    threshold,
    hidden,
  };
  return finishTrace({ ...trace, readsHidden, after, logits }, network.family, tokens);
}

/** The members' mass half-way between that of k + 1 equal tokens and 1; below it an input fails. */
function failureThreshold(k) {
  return (k / (k + 1) + 1) / 2;
}

function fails({ tokens, probabilities }) {
  const mass = tokens.reduce((sum, token) => sum + probabilities[token], 0);
  return mass < failureThreshold(tokens.length);
}

/** The distance between logit levels, nats per missing bit: least squares over `inputs` inputs. */
function fittedBeta(network, inputs = 32, mostMissing = 3) {
  let [products, squares] = [0, 0];
  for (let input = 0; input < inputs; input++) {
    const tokens = randomTokens(network.n, network.k, input, STREAM.tokens);
    const { logits, missing, members } = trained(
      network,
      tokens,
      coefficients(input, tokens, network.c),
    );
    missing.forEach((bits, token) => {
      if (members.has(token) || bits > mostMissing) return;
      products -= bits * logits[token];
      squares += bits * bits;
    });
  }
  return products / squares;
}
