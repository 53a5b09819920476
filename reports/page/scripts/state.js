// The page's state: everything a link carries. Values out of range fall back to the nearest one,
// and a note says so.

const LIMITS = {
  n: [2, 512, 1],
  k: [1, 12, 1],
  d: [2, 128, 1],
  m: [1, 128, 1],
  beta: [0.5, 12, 0.5],
  c: [1, 4, 0.1],
  seed: [0, 2 ** 32 - 1, 1],
  netseed: [0, 2 ** 32 - 1, 1],
};
const DEFAULTS = {
  n: 48,
  d: 32,
  m: 7,
  beta: 4,
  c: 2,
  seed: 1,
  mechanism: "clamp",
  tokens: [8, 34, 44],
  token: null,
  stage: STAGES.length,
  draws: "new",
  curve: "m",
  net: null,
  nettoken: null,
  netseed: 0,
  netstage: STAGES.length,
  theme: "auto",
};
const CHOICES = {
  mechanism: ["clamp", "complement"],
  draws: ["new", "these"],
  curve: ["m", "d"],
  theme: ["auto", "light", "dark"],
};

function withinLimits(name, value) {
  const [low, high, step] = LIMITS[name];
  const steps = Math.round((clampTo(value, low, high) - low) / step);
  return Number((low + steps * step).toFixed(6));
}

const letterOf = (name) => ({ beta: "β", seed: "the seed", netseed: "the seed" })[name] ?? name;

/** The value within its limits; what had to be changed is added to the notes. */
function limited(name, value, notes) {
  const kept = withinLimits(name, value);
  const [low, high] = LIMITS[name];
  if (value < low || value > high)
    notes.push(`${letterOf(name)} goes from ${low} to ${high} here, so ${kept} is taken.`);
  else if (Math.abs(kept - value) > 1e-9)
    notes.push(`${letterOf(name)} goes in steps of ${LIMITS[name][2]}, so ${kept} is taken.`);
  return kept;
}

/** m of a state, no larger than its d. */
function limitedHashes({ m, d }, notes) {
  if (m > d) notes.push(`A token cannot own more bits than there are, so m is ${d} now.`);
  return Math.min(m, d);
}

/** Distinct tokens of 0..n-1, at least one and at most `most`, ascending. */
function validTokens(tokens, n, most = LIMITS.k[1]) {
  const kept = [...new Set(tokens)].filter(
    (token) => Number.isInteger(token) && token >= 0 && token < n,
  );
  return kept.slice(0, most).sort((a, b) => a - b);
}

/**
 * The state that the fragment of an address describes; `network` bounds the second input. notes:
 * receives what was changed, in sentences.
 */
function readState(fragment, network, notes = []) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...DEFAULTS };
  const number = (name) => {
    const text = given.get(name);
    const value = Number(text);
    return text === null || text.trim() === "" || !Number.isFinite(value) ? null : value;
  };
  for (const name of ["n", "d", "m", "beta", "c", "seed", "netseed"]) {
    const value = number(name);
    if (value !== null) state[name] = limited(name, value, notes);
  }
  state.m = limitedHashes(state, notes);
  for (const name of Object.keys(CHOICES)) {
    if (CHOICES[name].includes(given.get(name))) state[name] = given.get(name);
  }
  for (const name of ["stage", "netstage"]) {
    const value = number(name);
    if (value !== null) state[name] = clampTo(value, 0, STAGES.length);
  }
  const tokens = (name) => (given.get(name) ?? "").split(",").filter(Boolean).map(Number);
  const chosen = validTokens(tokens("tokens"), state.n);
  const left = tokens("tokens").length - chosen.length;
  if (left)
    notes.push(
      `${plural(left, "token")} of the address cannot be read here: at most ` +
        `${LIMITS.k[1]} different ones below ${state.n}.`,
    );
  state.tokens = chosen.length ? chosen : validTokens(state.tokens, state.n);
  if (!state.tokens.length) state.tokens = [0];
  const token = number("token");
  if (Number.isInteger(token) && token >= 0 && token < state.n) state.token = token;
  if (network) {
    const chosenNet = validTokens(tokens("net"), network.n);
    state.net = chosenNet.length ? chosenNet : network.start;
    const netToken = number("nettoken");
    if (Number.isInteger(netToken) && netToken >= 0 && netToken < network.n)
      state.nettoken = netToken;
  }
  return state;
}

/** The fragment that describes a state: only what differs from the defaults. */
function writeState(state, network) {
  const given = new URLSearchParams();
  const usual = { ...DEFAULTS, net: network ? network.start : null };
  for (const [name, value] of Object.entries(state)) {
    const text = name.endsWith("stage") ? String(Number(value.toFixed(2))) : String(value ?? "");
    if (text !== String(usual[name] ?? "")) given.set(name, text);
  }
  return given.toString().replaceAll("%2C", ",");
}
