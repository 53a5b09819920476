// First part: the construction's forward pass, its facts in words, and its controls.

/** Groups a token's bits by who covers them: [["1, 5", "tokens 3 and 8"], …], missing bits last. */
function coveringGroups(trace, token) {
  const groups = new Map();
  for (const bit of trace.family.bits[token]) {
    const covering = trace.tokens.filter((member) => owns(trace.family, member, bit));
    const key = covering.join();
    if (!groups.has(key)) groups.set(key, { covering, bits: [] });
    groups.get(key).bits.push(bit);
  }
  return [...groups.values()].sort((a, b) => !a.covering.length - !b.covering.length);
}

const tokenName = (trace, token) => {
  const at = trace.tokens.indexOf(token);
  const colour = at >= 0 ? ` member-${at % MEMBER_COLOURS}` : "";
  return `<b class="token-name ${kindOf(trace, token)}${colour}">${token}</b>`;
};

/** Why a token has the logit it has, in words. `bit` is what the columns are called. */
function explainToken(trace, token, bit = "bit") {
  const own = trace.family.bits[token].length;
  const missing = trace.missing[token];
  const name = `Token ${tokenName(trace, token)}`;
  const numbers =
    `Logit ${formatLogit(trace.logits[token])}, ` +
    `probability ${formatProbability(trace.probabilities[token])}.`;
  const covered = coveringGroups(trace, token).map(({ covering, bits }) => {
    const which = `${bits.length === 1 ? bit : `${bit}s`} ${listOf(bits)}`;
    if (!covering.length) return `<li class="uncovered">${which}: nobody</li>`;
    return `<li>${which}: token ${listOf(covering.map((member) => tokenName(trace, member)))}</li>`;
  });
  const list = `<p class="small">Covered by</p><ul>${covered.join("")}</ul>`;
  const kind = kindOf(trace, token);
  if (kind === "member") {
    return `<p>${name} was read, so all ${own} of its ${bit}s are in the union. This cannot go
      wrong: there are no false negatives. ${numbers}</p>`;
  }
  if (kind === "false-positive") {
    return `<p>${name} was <em>not</em> read, yet the others cover all ${own} of its ${bit}s. The
      union cannot tell it from a member. ${numbers}</p>${list}`;
  }
  return `<p>${name} was not read, and ${plural(missing, bit)} of its ${own}
    ${missing === 1 ? "is" : "are"} missing from the union. ${numbers}</p>${list}`;
}

/** The captions of the construction's steps, with this input's numbers. */
function captionOf(stage, { trace, state }) {
  const { n, d, m, beta } = state;
  const k = trace.tokens.length;
  const failures = trace.falsePositives;
  const name = tokenName(trace, failures[0]);
  const alone = failures.length === 1;
  const others = {
    none: `None of the other ${formatCount(n - k)} tokens has.`,
    one: `So has token ${name}, which was not read: a false positive.`,
    many: `So have ${failures.length} tokens that were not read: false positives.`,
  }[failures.length === 0 ? "none" : alone ? "one" : "many"];
  const intruders = alone ? "the false positive takes" : "the false positives take";
  const share = failures.length
    ? `about 1/${k + failures.length}, not 1/${k}, to each member: ${intruders} an equal share`
    : `about 1/${k} to each member`;
  const tallest = formatNumber(Math.max(...trace.before));
  const layer = {
    clamp: [
      "One hidden unit a coordinate, all with the bias −1. It fires by what stands above 1 (hatched).",
      `The layer takes the excess away. What is left is exactly 1 where any hash was, and 0
      elsewhere: the <em>union</em>, ${trace.unionSize} of ${d} bits. How many hashes met there, and
      every α, is forgotten.`,
      `A token’s logit is β times the number of its bits in the union: one level for each missing
      bit, β = ${beta} apart.`,
    ],
    complement: [
      `One hidden unit a coordinate, with input weight −1 and bias 1. It fires only where nobody wrote
      anything (hatched).`,
      `The layer writes −1 wherever nobody was, into coordinates of its own that the readout looks at:
      the <em>complement</em> of the union. The sums themselves are not read, so no α can be too
      large.`,
      `A token’s logit is −β for each of its bits that is missing: the clamp’s levels, counted down
      from 0, and the same probabilities.`,
    ],
  }[trace.mechanism];
  return [
    `Every token owns <var>m</var> = ${m} of the <var>d</var> = ${d} coordinates, drawn at random
    once and for all. These are the hashes of the ${plural(k, "token")} that are read, each with a
    coefficient α between 1 and <var>c</var>.`,
    `The embedding adds the hashes up, each times its α. Where hashes meet, coordinates grow tall:
    up to ${tallest} here. A readout of these heights would count a tall coordinate several times
    over.`,
    layer[0],
    layer[1],
    `Each token is compared with the union. A token that was read has all ${m} of its bits there.
    ${others} Select a row to see who covers what.`,
    layer[2],
    `The softmax leaves ${share}. Every missing bit costs a factor e<sup>−β</sup> =
    ${formatNumber(Math.exp(-beta), 2)}.`,
  ][stage - 1];
}

/** Facts as a definition list: [[name, value, note], …]. */
function definitionList(rows) {
  return rows
    .map(
      ([name, value, note = ""]) =>
        `<div><dt>${name}</dt><dd>${value}${note && `<small>${note}</small>`}</dd></div>`,
    )
    .join("");
}

function inputFacts(trace) {
  const k = trace.tokens.length;
  const mass = trace.tokens.reduce((sum, token) => sum + trace.probabilities[token], 0);
  const failures = trace.falsePositives;
  const names = failures.slice(0, 6).map((token) => tokenName(trace, token));
  if (failures.length > 6) names.push("…");
  return definitionList([
    ["union", `${trace.unionSize} of ${trace.columns} bits`],
    ["false positives", failures.length ? `${failures.length}: ${names.join(", ")}` : "none"],
    [`probability on the ${k === 1 ? "member" : `${k} members`}`, formatProbability(mass)],
    ["KL from 1/<var>k</var>", `${formatNumber(trace.kl)} nats`],
  ]);
}

// ---- what shows and changes it ----

let family = null;
let familyKey = "";
let labTrace = null;
const labPicture = new Picture(byId("lab-picture"), inspect);
const labGrid = new TokenGrid(byId("lab-tokens"), { onToggle: toggle, onInspect: inspect });
const labTransport = new Transport(byId("lab-transport"), {
  onChange: (progress, settled) => {
    state.stage = progress;
    labPicture.show(progress);
    if (settled) saveState();
  },
  caption: (stage) => captionOf(stage, { trace: labTrace, state }),
});
labTransport.progress = state.stage;

function showLab() {
  const { n, d, m, seed, c, beta, mechanism } = state;
  const key = [n, d, m, seed].join();
  if (key !== familyKey) family = randomFamily(seed, n, d, m);
  familyKey = key;
  const alpha = coefficients(seed, state.tokens, c);
  labTrace = construction(family, state.tokens, alpha, beta, mechanism);
  const inspected = state.token ?? labTrace.falsePositives[0] ?? state.tokens[0];
  labPicture.progress = labTransport.progress = state.stage;
  labPicture.set(labTrace, inspected);
  labGrid.set(labTrace, inspected);
  labTransport.render();
  byId("lab-facts").innerHTML = inputFacts(labTrace);
  byId("lab-why-title").innerHTML = `Why token ${inspected}?`;
  byId("lab-why").innerHTML = explainToken(labTrace, inspected);
  showControls();
}

function inspect(token) {
  state.token = token;
  showLab();
  saveState();
}

/** The tokens with one taken in or out; null, and a word about it, where that is not allowed. */
function toggled(tokens, token) {
  const most = LIMITS.k[1];
  if (tokens.includes(token)) {
    if (tokens.length > 1) return tokens.filter((other) => other !== token);
    announce("At least one token must be read.");
  } else {
    if (tokens.length < most) return [...tokens, token].sort((a, b) => a - b);
    announce(`At most ${most} tokens can be read here.`);
  }
  return null;
}

/** What a change of tokens led to, in a sentence. */
function countOf(trace) {
  const failures = trace.falsePositives;
  const names = failures.length ? `: ${listOf(failures.slice(0, 8))}` : "";
  return `${plural(failures.length, "false positive")}${names}.`;
}

function toggle(token) {
  const tokens = toggled(state.tokens, token);
  if (!tokens) return;
  state.tokens = tokens;
  state.token = null;
  changed();
  announce(`Token ${token} ${tokens.includes(token) ? "read" : "taken out"}. ${countOf(labTrace)}`);
}

/** After a change of sizes, hashes or tokens: the picture, the numbers, the address. */
function changed() {
  showLab();
  clearTallyOfOthers();
  clearTimeout(ratesTimer);
  ratesTimer = setTimeout(showRates, 60); // once, however fast a slider moves
  saveState();
}
let ratesTimer = null;

// ---- controls ----

const SIZES = ["n", "k", "d", "m", "beta", "c", "seed"];

function showControls() {
  const values = { ...state, k: state.tokens.length };
  for (const name of SIZES) {
    const high = { m: state.d, k: Math.min(state.n, LIMITS.k[1]) }[name] ?? LIMITS[name][1];
    for (const input of [byId(name), byId(`${name}-number`)]) {
      if (!input) continue;
      input.max = high;
      if (input !== document.activeElement || Number(input.value) !== values[name])
        input.value = values[name];
      if (input.type === "range")
        input.style.setProperty(
          "--done",
          `${(100 * (values[name] - input.min)) / (high - input.min)}%`,
        );
    }
  }
  for (const name of ["mechanism", "draws", "curve"]) {
    for (const radio of document.getElementsByName(name))
      radio.checked = radio.value === state[name];
  }
  byId("sizes-summary").innerHTML = SIZES.slice(0, 5)
    .map((name) => `<span><var>${name === "beta" ? "β" : name}</var> = ${values[name]}</span>`)
    .join(" ");
}

function chooseMembers(k) {
  const tokens = [...state.tokens];
  const random = stream(state.seed, STREAM.tokens, k, tokens.length);
  while (tokens.length > k) tokens.splice(Math.floor(random() * tokens.length), 1);
  while (tokens.length < Math.min(k, state.n)) {
    const token = Math.floor(random() * state.n);
    if (!tokens.includes(token)) tokens.push(token);
  }
  state.tokens = tokens.sort((a, b) => a - b);
}

function setSize(name, value) {
  if (!Number.isFinite(value)) return;
  const notes = [];
  const fitting = limited(name, value, notes);
  state.token = null;
  if (name === "k") {
    if (fitting > state.n) notes.push(`There are ${state.n} tokens, so k is ${state.n}.`);
    chooseMembers(Math.min(fitting, state.n));
  } else state[name] = fitting;
  if (name === "n") {
    const kept = validTokens(state.tokens, state.n);
    const left = state.tokens.length - kept.length;
    if (left) notes.push(`${plural(left, "token")} beyond n left out.`);
    state.tokens = kept.length ? kept : [0];
  }
  state.m = limitedHashes(state, notes);
  changed();
  showNotes(notes);
}

for (const name of SIZES) {
  byId(name)?.addEventListener("input", (event) => setSize(name, event.target.valueAsNumber));
  byId(`${name}-number`).addEventListener("change", (event) => {
    if (event.target.value.trim() === "") return showControls();
    setSize(name, event.target.valueAsNumber);
    event.target.value = { ...state, k: state.tokens.length }[name];
  });
}
for (const name of ["mechanism", "draws", "curve"]) {
  for (const radio of document.getElementsByName(name)) {
    radio.addEventListener("change", () => {
      state[name] = radio.value;
      if (name === "mechanism") showLab();
      showRates();
      saveState();
    });
  }
}

const chance = () => Math.floor(Math.random() * 2 ** 32);

byId("new-input").addEventListener("click", () => {
  state.tokens = randomTokens(state.n, state.tokens.length, chance());
  state.token = null;
  changed();
  announce(`Tokens ${listOf(state.tokens)}. ${countOf(labTrace)}`);
});
byId("new-hashes").addEventListener("click", () => {
  state.seed = chance() % 100000;
  state.token = null;
  changed();
  announce(`New hashes, seed ${state.seed}. ${countOf(labTrace)}`);
});
byId("best-m").addEventListener("click", () => {
  const best = bestHashes(state.n, state.tokens.length, state.d);
  setSize("m", best.m);
  announce(`m = ${best.m}: failure probability ${formatProbability(best.failure)}.`);
});

const SEARCH_MILLISECONDS = 800;

/** Random inputs until one has a covered non-member: its tokens, null in vain; and the number. */
function searchFailure(family, k) {
  const seed = chance();
  const until = performance.now() + SEARCH_MILLISECONDS;
  let draws = 0;
  while (performance.now() < until && family.n > k) {
    const result = drawWithTheseHashes(seed, ++draws, family, k);
    if (result.failed) return { tokens: result.tokens, draws };
  }
  return { tokens: null, draws };
}

byId("find-failure").addEventListener("click", () => {
  const { tokens, draws } = searchFailure(family, state.tokens.length);
  const tried = plural(draws, "random input");
  if (!tokens) {
    announce(`None in ${tried} with these hashes. A smaller d or a larger k makes them commoner.`);
    return;
  }
  state.tokens = tokens;
  state.token = null;
  changed();
  announce(`Found after ${tried}. ${countOf(labTrace)}`);
});
byId("reset").addEventListener("click", () => {
  state = {
    ...readState("", network),
    theme: state.theme,
    net: state.net,
    nettoken: state.nettoken,
    netseed: state.netseed,
    netstage: state.netstage,
  };
  changed();
  announce("Back to the first input.");
});

/** Keys on the picture itself: space plays, arrows step. */
function keysOn(element, transport) {
  element.addEventListener("keydown", (event) => {
    if (event.target !== element) return;
    const action = {
      " ": () => transport.play.click(),
      ArrowRight: () => transport.forward.click(),
      ArrowLeft: () => transport.back.click(),
      Home: () => transport.go(0),
      End: () => transport.go(STAGES.length),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
keysOn(byId("lab-figure"), labTransport);
