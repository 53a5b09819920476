// Networks: the one that the page carries, and files of one's own.

const TENSOR_SHAPES = {
  W_E: ["n", "d"],
  W_in: ["d", "h"],
  b_in: ["h"],
  W_out: ["h", "d"],
  W_U: ["d", "n"],
  b_out: ["d"],
  b_U: ["n"],
};
const OPTIONAL = ["b_out", "b_U"];
const MOST_TOKENS = 2048;
const MOST_UNITS = 256;

const DECODERS = {
  F64: (buffer) => new Float64Array(buffer),
  F32: (buffer) => new Float32Array(buffer),
  BF16: (buffer) => {
    const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
    return new Float32Array(words.buffer);
  },
};

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

/** A network from the bytes of a safetensors file; throws an Error that says what is wrong. */
function readSafetensors(buffer, defaults) {
  const view = new DataView(buffer);
  const length = buffer.byteLength >= 8 ? Number(view.getBigUint64(0, true)) : Infinity;
  if (length > buffer.byteLength - 8) throw new Error("this is no safetensors file");
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  } catch {
    throw new Error("this is no safetensors file");
  }
  const tensors = {};
  const sizes = {};
  for (const [name, shape] of Object.entries(TENSOR_SHAPES)) {
    const entry = header[name];
    if (!entry) {
      if (OPTIONAL.includes(name)) continue;
      throw new Error(`the file has no tensor ${name}`);
    }
    if (!(entry.dtype in DECODERS))
      throw new Error(`${name} has dtype ${entry.dtype}; F64, F32 and BF16 can be read`);
    if (entry.shape.length !== shape.length)
      throw new Error(`${name} must have ${shape.length} axes`);
    shape.forEach((letter, axis) => {
      sizes[letter] ??= entry.shape[axis];
      if (sizes[letter] !== entry.shape[axis]) {
        throw new Error(
          `${name} must have ${letter} = ${sizes[letter]} on axis ${axis + 1}; got ${entry.shape[axis]}`,
        );
      }
    });
    const [from, to] = entry.data_offsets;
    tensors[name] = DECODERS[entry.dtype](buffer.slice(8 + length + from, 8 + length + to));
    if (!tensors[name].every(Number.isFinite)) throw new Error(`${name} is not finite everywhere`);
  }
  if (sizes.n > MOST_TOKENS || Math.max(sizes.d, sizes.h) > MOST_UNITS) {
    throw new Error(
      `this page can show at most n = ${MOST_TOKENS} and d, h = ${MOST_UNITS}; the file has n = ${sizes.n}, d = ${sizes.d}, h = ${sizes.h}`,
    );
  }
  const metadata = header.__metadata__ ?? {};
  const number = (name) => (Number(metadata[name]) > 0 ? Number(metadata[name]) : defaults[name]);
  const k = Math.round(number("k"));
  const most = Math.min(sizes.n, LIMITS.k[1]);
  if (k > most) throw new Error(`this page can show at most k = ${most}; the file has k = ${k}`);
  const network = trainedNetwork({ ...sizes, k, c: Math.max(number("c"), 1), tensors });
  const affordable =
    sizes.n * 2 ** Math.max(...network.family.bits.map((own) => own.length)) <= 1e7;
  network.expectedFalsePositives = affordable ? expectedFalsePositivesOf(network.family, k) : null;
  return network;
}
