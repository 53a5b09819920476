// Whose tensors are which: the names and shapes by which the analysis knows them (train/reading).

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

/** The file's name of each tensor that is used, by ours; throws where one is missing or left over. */
function rolesOf(keys, intake) {
  const found = {};
  const stray = [];
  for (const key of keys) {
    const role = roleOf(key, intake);
    if (role === null) stray.push(key);
    else if (role in found)
      throw new Error(`two tensors look like ${role}: ${found[role]} and ${key}`);
    else found[role] = key;
  }
  const missing = ["W_in", "W_out"].filter((name) => !(name in found));
  if (missing.length)
    throw new Error(`the file has no tensor ${missing.join(" and ")}, by any usual name`);
  if (stray.length)
    throw new Error(
      `not every tensor is used: ${stray.join(", ")} left over. What runs here is one ReLU layer ` +
        "between an embedding and a readout, without norm, attention, gate or second layer",
    );
  return found;
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
  const wanted = {
    W_E: [n, d],
    W_in: [d, h],
    b_in: [h],
    W_out: [h, d],
    W_U: [d, n],
    b_out: [d],
    b_U: [n],
  };
  const fits = Object.entries(given).every(
    ([name, { shape }]) => String(shape) === String(wanted[name]),
  );
  return fits ? { n, d, h } : null;
}

/**
 * The tensors of a network in our layout, and its sizes. tensors: { values, shape } by our names;
 * keys: the file's names of them, by which a Linear of torch is known to be transposed. What is
 * left out is filled in: no bias is 0, no embedding the identity, no readout the embedding's
 * transpose.
 */
function inOurLayout(tensors, keys, { matrices }) {
  const held = matrices.filter((name) => name in tensors);
  const usual = (name) => name !== "W_E" && keys[name].toLowerCase().endsWith("weight");
  const choices = Array.from({ length: 2 ** held.length }, (_, bits) => {
    const flipped = held.filter((_, i) => (bits >> i) & 1);
    const odd = held.filter((name) => flipped.includes(name) !== usual(name)).length;
    return { flipped, odd };
  }).sort((a, b) => a.odd - b.odd);
  for (const { flipped } of choices) {
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
    return { ...Object.fromEntries(values), n, d, h };
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
