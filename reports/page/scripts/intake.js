// Whose tensors are which: the names and shapes by which the analysis knows them (train/reading).

const SHAPES = {
  W_E: ["n", "d"],
  W_in: ["d", "h"],
  b_in: ["h"],
  W_out: ["h", "d"],
  W_U: ["d", "n"],
  b_out: ["d"],
  b_U: ["n"],
};
const LEFT_OUT = "left out";
const CLASS =
  "This page runs only networks of one ReLU layer between an embedding and a readout, with a " +
  "residual connection, and without norm, attention, gate or second layer";

/** Ours of a tensor's name by convention; null for a name that says nothing. */
function roleOf(key, { aliases, biasAliases, biasOf }) {
  let stem = key.toLowerCase();
  const leaf = stem.split(".").at(-1);
  if (["weight", "bias"].includes(leaf)) stem = stem.slice(0, -leaf.length - 1);
  const parts = stem.split(".");
  const ends = [parts.at(-1), parts.slice(-2).join(".")];
  const bias = leaf === "bias";
  if (!bias) {
    for (const [role, names] of Object.entries(biasAliases))
      if (names.includes(parts.at(-1))) return role;
  }
  for (const [role, names] of Object.entries(aliases))
    if (ends.some((end) => names.includes(end))) return bias ? (biasOf[role] ?? null) : role;
  return null;
}

/** What each tensor seems to be by its name: ours, or null where the name says nothing. */
function guessedRoles(keys, intake) {
  const outside = intake.outside.map(([pattern]) => new RegExp(pattern));
  const role = (key) =>
    outside.some((pattern) => pattern.test(key.toLowerCase())) ? null : roleOf(key, intake);
  return Object.fromEntries(keys.map((key) => [key, role(key)]));
}

/**
 * The file's names of tensors by ours; throws where these are no network. roles: ours by the file's
 * names, LEFT_OUT, or null where nobody has said.
 */
function keysOf(roles, intake) {
  const found = {};
  for (const [key, role] of Object.entries(roles)) {
    if (role === LEFT_OUT || role === null) continue;
    if (role in found)
      throw new Error(
        `two tensors look like ${role}: ${found[role]} and ${key}. Choose below which of them it is`,
      );
    found[role] = key;
  }
  const stray = Object.keys(roles).filter((key) => roles[key] === null);
  if (stray.length) throw new Error(leftOver(stray, intake));
  const missing = ["W_in", "W_out"].filter((name) => !(name in found));
  if (missing.length)
    throw new Error(`the file has no tensor ${missing.join(" and ")}, by any usual name. ${CLASS}`);
  return found;
}

/** That nobody has said what tensors are, or that they look like what cannot run here. */
function leftOver(keys, { outside }) {
  const looks = outside
    .filter(([pattern]) => keys.some((key) => new RegExp(pattern).test(key.toLowerCase())))
    .map(([, what]) => what);
  return looks.length
    ? `there seems to be ${listOf(looks)} in the file (${keys.join(", ")}). ${CLASS}`
    : `the names do not tell what ${listOf(keys)} ${keys.length === 1 ? "is" : "are"}. Choose below ` +
        "what each of them is, or leave it out";
}

const transposed = ({ values, shape: [rows, columns] }) => {
  const turned = new Float64Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column];
  return { values: turned, shape: [columns, rows] };
};

/** Sizes of tensors by our names, or null where their shapes do not fit each other. */
function sizesOf(given) {
  const [d, h] = given.W_in.shape;
  const n = given.W_E ? given.W_E.shape[0] : d;
  const size = { n, d, h };
  const fits = Object.entries(given).every(
    ([name, { shape }]) => String(shape) === String(SHAPES[name].map((letter) => size[letter])),
  );
  return fits ? size : null;
}

/**
 * Sets of matrices that may be stored transposed, the likeliest first. keys: the file's names by
 * ours, by which a Linear of torch is known to be transposed.
 */
function likelyTransposes(keys, { matrices }) {
  const held = matrices.filter((name) => name in keys);
  const usual = (name) => name !== "W_E" && keys[name].toLowerCase().endsWith("weight");
  const odd = (flipped) => held.filter((name) => flipped.includes(name) !== usual(name)).length;
  return Array.from({ length: 2 ** held.length }, (_, bits) =>
    held.filter((_, i) => (bits >> i) & 1),
  ).sort((a, b) => odd(a) - odd(b));
}

/**
 * The tensors of a network in our layout, its sizes, and the names of those that were transposed.
 * tensors: { values, shape } by our names; choices: sets of names to transpose, of which the first
 * that fits is taken. What is left out is filled in: no bias is 0, no embedding the identity, no
 * readout the embedding's transpose.
 */
function inOurLayout(tensors, choices) {
  for (const flipped of choices) {
    const own = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        flipped.includes(name) ? transposed(tensor) : tensor,
      ]),
    );
    const sizes = sizesOf(own);
    if (!sizes) continue;
    const { n, d, h } = sizes;
    own.W_E ??= { values: identityMatrix(d), shape: [d, d] };
    own.W_U ??= transposed(own.W_E);
    own.b_in ??= { values: new Float64Array(h), shape: [h] };
    const values = Object.entries(own).map(([name, tensor]) => [name, tensor.values]);
    return { ...Object.fromEntries(values), n, d, h, flipped };
  }
  const shapes = Object.entries(tensors).map(([name, { shape }]) => `${name} [${shape}]`);
  throw new Error(
    "shapes must fit W_E [n, d], W_in [d, h], W_out [h, d] and W_U [d, n], with a residual " +
      `connection; the file has ${shapes.join(", ")}`,
  );
}

function identityMatrix(size) {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + i] = 1;
  return matrix;
}
