// Networks: the one that the page carries, and files of one's own.

const MOST_TOKENS = 2048;
const MOST_UNITS = 256;

const DECODERS = {
  F64: (buffer) => new Float64Array(buffer),
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => Float32Array.from(new Uint16Array(buffer), halfPrecision),
  BF16: (buffer) => {
    const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
    return new Float32Array(words.buffer);
  },
};

/** The number that 16 bits of half precision stand for. */
function halfPrecision(bits) {
  const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 31
      ? fraction
        ? NaN
        : Infinity
      : exponent
        ? 2 ** (exponent - 15) * (1 + fraction / 1024)
        : 2 ** -14 * (fraction / 1024);
  return sign ? -size : size;
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** The network the page carries: sizes, tensors as little-endian float32, masks as packed bits. */
function embeddedNetwork({ tensors: packed, read, write, clampUnits, ...rest }) {
  const { n, d, h, k, c, expectedFalsePositives, failureProbability } = rest;
  const tensors = {};
  for (const [name, text] of Object.entries(packed)) {
    tensors[name] = new Float32Array(bytesOf(text).buffer);
  }
  const unpack = (text) => {
    const bytes = bytesOf(text);
    return Uint8Array.from({ length: n * h }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
  };
  const given = { read: unpack(read), write: unpack(write), clampUnits };
  const network = trainedNetwork({ n, d, h, k, c, tensors, given });
  return { ...network, expectedFalsePositives, failureProbability };
}

/** A safetensors file: its metadata, and of each tensor its dtype, shape and bytes. */
function readSafetensors(buffer) {
  const view = new DataView(buffer);
  const length = buffer.byteLength >= 8 ? Number(view.getBigUint64(0, true)) : Infinity;
  if (length > buffer.byteLength - 8) throw new Error("this is no safetensors file");
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  } catch {
    throw new Error("this is no safetensors file");
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = {};
  for (const [key, { dtype, shape, data_offsets: ends }] of Object.entries(entries)) {
    const [from, to] = ends.map((end) => 8 + length + end);
    tensors[key] = { dtype, shape, bytes: buffer.slice(from, to) };
  }
  return { metadata, tensors };
}

/** The numbers of one tensor, which has that many axes; throws an Error that says what is wrong. */
function decoded(key, { dtype, shape, bytes }, axes) {
  if (!(dtype in DECODERS))
    throw new Error(`${key} has dtype ${dtype}; ${listOf(Object.keys(DECODERS))} can be read`);
  if (shape.length !== axes)
    throw new Error(`${key} must have ${plural(axes, "axis", "axes")}; it has ${shape.length}`);
  const values = DECODERS[dtype](bytes);
  if (!values.every(Number.isFinite)) throw new Error(`${key} is not finite everywhere`);
  return { values, shape };
}

/**
 * The network of a safetensors file; throws an Error that says what is wrong. keys: the file's
 * names of tensors by ours; transposes: sets of them to transpose, the first that fits is taken;
 * asked: k and c where the file's metadata have none.
 */
function networkOf({ metadata, tensors: stored }, keys, transposes, asked) {
  const given = {};
  for (const [name, key] of Object.entries(keys))
    given[name] = decoded(key, stored[key], SHAPES[name].length);
  const { n, d, h, flipped, ...tensors } = inOurLayout(given, transposes);
  if (n > MOST_TOKENS || Math.max(d, h) > MOST_UNITS) {
    throw new Error(
      `this page can show at most n = ${MOST_TOKENS} and d, h = ${MOST_UNITS}; the file has n = ${n}, d = ${d}, h = ${h}`,
    );
  }
  const number = (name) => (Number(metadata[name]) > 0 ? Number(metadata[name]) : asked[name]);
  const k = Math.round(number("k"));
  const most = Math.min(n, LIMITS.k[1]);
  if (!(k >= 1 && k <= most))
    throw new Error(`this page can show k from 1 to ${most}; it is ${k} here`);
  if (!(number("c") >= 1)) throw new Error(`c must be at least 1; it is ${number("c")} here`);
  const network = trainedNetwork({ n, d, h, k, c: number("c"), tensors });
  const affordable = n * 2 ** Math.max(...network.family.bits.map((own) => own.length)) <= 1e7;
  network.expectedFalsePositives = affordable ? expectedFalsePositivesOf(network.family, k) : null;
  return { ...network, flipped };
}
