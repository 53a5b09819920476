// Reproducible random numbers: every stream is named by a few integers, the seed first.

const STREAM = { hashes: 1, coefficients: 2, tokens: 3, family: 4 };

/** One 32-bit word from integers (the finaliser of MurmurHash3, chained). */
function mix(...parts) {
  let state = 0x9e3779b9;
  for (const part of parts) {
    state = Math.imul(state ^ (part >>> 0), 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
    state = (state ^ (state >>> 16)) + 0x6d2b79f5;
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

/** A stream of uniform numbers in [0, 1): sfc32 (Doty-Humphrey, PractRand), seeded by `mix`. */
function stream(...parts) {
  let [a, b, c, counter] = [mix(...parts, 1), mix(...parts, 2), mix(...parts, 3), 1];
  const next = () => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + word;
    return (word >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

/**
 * `count` distinct integers of 0..size-1, one by one, each order equally likely (Fisher-Yates on
 * `scratch`, an identity permutation that is restored). `visit` may return false to stop early.
 */
function drawDistinct(next, size, count, scratch, visit) {
  const swapped = [];
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(next() * (size - i));
    [scratch[i], scratch[j]] = [scratch[j], scratch[i]];
    swapped.push(j);
    if (visit(scratch[i]) === false) break;
  }
  while (swapped.length) {
    const j = swapped.pop();
    const i = swapped.length;
    [scratch[i], scratch[j]] = [scratch[j], scratch[i]];
  }
}

const identity = (size) => Int32Array.from({ length: size }, (_, i) => i);

/** A uniformly random k-subset of the n tokens, ascending. */
function randomTokens(n, k, ...parts) {
  const tokens = [];
  drawDistinct(stream(...parts), n, k, identity(n), (token) => void tokens.push(token));
  return tokens.sort((a, b) => a - b);
}

/** Coefficients of the given tokens, uniform on [1, c]; each token keeps its own under one seed. */
function coefficients(seed, tokens, c) {
  return tokens.map((token) => 1 + (c - 1) * stream(seed, STREAM.coefficients, token)());
}

// ---- families of hashes ----

/** Masks packed into 32-bit words beside the lists of their bits. */
function familyOf(bits, d) {
  const words = Math.ceil(d / 32);
  const masks = new Uint32Array(bits.length * words);
  bits.forEach((own, token) => {
    for (const bit of own) masks[token * words + (bit >>> 5)] |= 1 << (bit & 31);
  });
  return { n: bits.length, d, words, masks, bits };
}

/** The hash of token i under a seed: the first m bits of its own random order of all d. */
function randomFamily(seed, n, d, m) {
  const scratch = identity(d);
  const bits = Array.from({ length: n }, (_, token) => {
    const own = [];
    drawDistinct(stream(seed, STREAM.hashes, token), d, m, scratch, (bit) => void own.push(bit));
    return own.sort((a, b) => a - b);
  });
  return familyOf(bits, d);
}

function owns(family, token, bit) {
  return (family.masks[token * family.words + (bit >>> 5)] >>> (bit & 31)) & 1;
}

/** Whether a union covers a token's mask. */
function covers(union, masks, token) {
  for (let word = 0; word < union.length; word++) {
    if (masks[token * union.length + word] & ~union[word]) return false;
  }
  return true;
}

/** The union of the tokens' masks. */
function unionOf(family, tokens) {
  const union = new Uint32Array(family.words);
  for (const token of tokens) {
    for (let word = 0; word < family.words; word++) {
      union[word] |= family.masks[token * family.words + word];
    }
  }
  return union;
}

/** Whether a random input fails: draw number `draw` under a seed, with hashes of its own. */
function drawWithNewHashes(seed, draw, n, k, d, m, scratch = identity(d)) {
  const family = mix(seed, STREAM.family, draw);
  const tokens = randomTokens(n, k, family, STREAM.tokens);
  const members = new Set(tokens);
  const union = new Uint8Array(d);
  for (const token of tokens) {
    drawDistinct(
      stream(family, STREAM.hashes, token),
      d,
      m,
      scratch,
      (bit) => void (union[bit] = 1),
    );
  }
  let failed = false;
  for (let token = 0; token < n && !failed; token++) {
    if (members.has(token)) continue;
    let covered = true;
    drawDistinct(stream(family, STREAM.hashes, token), d, m, scratch, (bit) => {
      covered = union[bit] === 1;
      return covered;
    });
    failed = covered;
  }
  return { failed, tokens, seed: family };
}

/** Whether draw number `draw` fails when every draw meets the same family. */
function drawWithTheseHashes(seed, draw, family, k) {
  const tokens = randomTokens(family.n, k, mix(seed, STREAM.family, draw), STREAM.tokens);
  const union = unionOf(family, tokens);
  let covered = 0;
  for (let token = 0; token < family.n; token++)
    covered += covers(union, family.masks, token) ? 1 : 0;
  return { failed: covered > k, tokens, seed };
}
