// Third part: the trained network beside the construction that has its masks.

/** The first input, by seed, whose masks have a false positive; otherwise the first one. */
function startingTokens(network, tries = 2000) {
  for (let draw = 1; draw <= tries; draw++) {
    const result = drawWithTheseHashes(0, draw, network.family, network.k);
    if (result.failed) return result.tokens;
  }
  return randomTokens(network.n, network.k, 0, STREAM.tokens);
}

/** The captions of the two forward passes' steps. */
function trainedCaptionOf(stage, { trace, beside }) {
  const failures = trace.falsePositives.slice(0, 3).map((token) => tokenName(trace, token));
  const units = (inUnion) => [...trace.after].filter((_, unit) => trace.union[unit] === inUnion);
  const range = (values) =>
    values.length
      ? `${formatLogit(Math.min(...values))} and ${formatLogit(Math.max(...values))}`
      : "no two numbers";
  const mass = ({ tokens, probabilities }) =>
    formatProbability(tokens.reduce((sum, token) => sum + probabilities[token], 0));
  const covered = failures.length
    ? `Token ${listOf(failures)} was not read but is covered.`
    : "No token that was not read is covered.";
  const fullMark =
    beside.mechanism === "clamp"
      ? ` Learned hashes have unequal sizes, so the construction here also has an output bias, which
      starts every token at its own full mark.`
      : "";
  return [
    `What each token writes into the hidden units, a row of <var>W</var><sub>E</sub>
    <var>W</var><sub>in</sub> times its α. Nobody drew these hashes; training did. Beside it, the
    construction with the same bits.`,
    `The rows are added up. The network’s bars scatter; units that no token owns stay on the other
    side of the threshold.`,
    `A unit fires by what stands above its threshold −<var>b</var><sub>in</sub> (hatched). The
    network learned these biases; the construction has one for all.`,
    trace.readsHidden
      ? `The readout subtracts for each of a token’s units that fires. Minus what fires lies between
      ${range(units(1))} in the union’s units, and between ${range(units(0))} in the others; in the
      construction it is 0 and −1.`
      : `The layer writes back about minus what fired. The union’s units end between
      ${range(units(1))}, the others between ${range(units(0))}; the construction’s at 1 and 0.`,
    `Both compare every token with the same union. ${covered}`,
    `One level for each missing bit in both. The construction’s are exact,
    β = ${formatNumber(beside.beta, 2)} apart, which is fitted to the network’s.${fullMark} The
    network’s levels have some width.`,
    `The members get ${mass(trace)} from the network and ${mass(beside)} from the construction with
    its masks; the KL from 1/<var>k</var> is ${formatNumber(trace.kl)} and
    ${formatNumber(beside.kl)} nats.`,
  ][stage - 1];
}

/** What the masks say of an input against what the network does. */
class Confusion {
  constructor() {
    this.counts = { coveredFails: 0, coveredHolds: 0, openFails: 0, openHolds: 0 };
    this.draws = 0;
    this.failure = null;
  }

  /** seed: the one behind the input's coefficients. */
  add(trace, seed) {
    const covered = trace.falsePositives.length > 0;
    const failed = fails(trace);
    this.counts[`${covered ? "covered" : "open"}${failed ? "Fails" : "Holds"}`] += 1;
    this.draws += 1;
    if (failed) this.failure = { tokens: trace.tokens, seed };
  }

  get failures() {
    return this.counts.coveredFails + this.counts.openFails;
  }
}

/** Histogram of all entries of W_E W_in, coloured by mask; the counts are on a log scale. */
function drawEntries(chart, network) {
  const bins = 60;
  const { into, n, h, family } = network;
  const low = into.reduce((a, b) => Math.min(a, b), Infinity);
  const high = into.reduce((a, b) => Math.max(a, b), -Infinity);
  const counts = [new Float64Array(bins), new Float64Array(bins)];
  into.forEach((value, i) => {
    const bin = Math.min(Math.floor(((value - low) / (high - low)) * bins), bins - 1);
    counts[owns(family, Math.floor(i / h), i % h)][bin] += 1;
  });
  const x = chart.horizontal(low, high, "entry of W_{E} W_{in}");
  const y = chart.vertical(0.7, Math.max(...counts[0]) * 1.5, { log: true, format: formatCount });
  const width = (x(high) - x(low)) / bins;
  counts.forEach((mine, owned) => {
    mine.forEach((count, bin) => {
      if (!count) return;
      const at = x(low + (bin * (high - low)) / bins);
      const box = {
        x: at + 0.5,
        width: Math.max(width - 1, 0.5),
        y: y(count),
        height: chart.box.bottom - y(count),
      };
      svg(chart.root, "rect", { ...box, class: owned ? "union-bar" : "outside-bar" });
    });
  });
  const share = into.length ? family.bits.flat().length / (n * h) : 0;
  chart.describe(
    `Histogram of the entries of W_E W_in: two kinds; ${formatProbability(share)} belong to a hash.`,
  );
}

// ---- what shows and changes it ----

let net = null; // { trace, beside } of the present input
let confusion = new Confusion();
let netRunning = false;
const netPictures = network
  ? ["net-picture", "beside-picture"].map(
      (id) => new Picture(byId(id), inspectNet, { paired: true }),
    )
  : [];
const netGrid =
  network && new TokenGrid(byId("net-tokens"), { onToggle: toggleNet, onInspect: inspectNet });
const netTransport =
  network &&
  new Transport(byId("net-transport"), {
    onChange: (progress, settled) => {
      state.netstage = progress;
      for (const picture of netPictures) picture.show(progress);
      if (settled) saveState();
    },
    caption: (stage) => trainedCaptionOf(stage, net),
  });
const entriesChart =
  network && new Chart(byId("entries-chart"), (chart) => drawEntries(chart, network));

function showNet() {
  const alpha = coefficients(state.netseed, state.net, network.c);
  const trace = trained(network, state.net, alpha);
  const mechanism = 2 * network.clampUnits >= network.h ? "clamp" : "complement";
  const beside = construction(network.family, state.net, alpha, network.beta, mechanism, true);
  net = { trace, beside };
  const inspected = state.nettoken ?? trace.falsePositives[0] ?? state.net[0];
  const logits = [...trace.logits, ...beside.logits];
  const range = [Math.min(...logits), Math.max(...logits)];
  [trace, beside].forEach((shown, i) => {
    netPictures[i].progress = state.netstage;
    netPictures[i].set(shown, inspected, range);
  });
  netTransport.progress = state.netstage;
  netTransport.render();
  netGrid.set(trace, inspected);
  byId("net-facts").innerHTML = inputFacts(trace);
  byId("net-why-title").innerHTML = `Why token ${inspected}?`;
  byId("net-why").innerHTML = explainToken(trace, inspected, "unit");
}

function changedNet() {
  showNet();
  saveState();
}

function inspectNet(token) {
  state.nettoken = token;
  changedNet();
}

function toggleNet(token) {
  const tokens = toggled(state.net, token);
  if (!tokens) return;
  state.net = tokens;
  state.nettoken = null;
  changedNet();
  announce(
    `Token ${token} ${tokens.includes(token) ? "read" : "taken out"}. ${countOf(net.trace)}`,
  );
}

function drawNet() {
  const seed = mix(confusion.draws + 1, STREAM.family);
  const tokens = randomTokens(network.n, network.k, seed, STREAM.tokens);
  confusion.add(trained(network, tokens, coefficients(seed, tokens, network.c)), seed);
}

function showConfusion() {
  const { counts, draws, failures } = confusion;
  for (const name of Object.keys(counts)) byId(name).textContent = formatCount(counts[name]);
  byId("net-tally").innerHTML = countedText(failures, draws);
  byId("net-show").disabled = !confusion.failure;
}

function setNetRunning(on) {
  netRunning = on;
  byId("net-run").textContent = on ? "Pause" : "Run";
  if (!on) return announce(byId("net-tally").textContent);
  const turn = () => {
    if (!netRunning) return;
    const until = performance.now() + 10;
    while (performance.now() < until) drawNet();
    showConfusion();
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
}

const SHOWN_TOKENS = 64;

function drawWeights() {
  const { into, out, n, h } = network;
  const rows = Math.min(SHOWN_TOKENS, n);
  drawHeatMap(byId("heat-in"), rows, h, (token, unit) => into[token * h + unit]);
  drawHeatMap(byId("heat-out"), rows, h, (token, unit) => -out[unit * n + token]);
}

function showNetwork() {
  const { n, d, h, k, c, expectedFalsePositives: expected, failureProbability } = network;
  const typical = Math.max(Math.round(network.meanBits), 1);
  const random = formatNumber((n - k) * falsePositiveRate(k, h, typical));
  const letters = Object.entries({ n, d, h, k, c });
  const clamp = 2 * network.clampUnits >= h;
  byId("network-facts").innerHTML = definitionList([
    ["sizes", letters.map(([letter, value]) => `<var>${letter}</var> = ${value}`).join(", ")],
    [
      "bits of a token",
      `${formatNumber(network.meanBits)} on average`,
      `density ${formatProbability(network.meanBits / h)}`,
    ],
    [
      "both products name the same bits",
      formatProbability(network.agreement, 5),
      "of the token × unit entries",
    ],
    [
      clamp ? "units that clamp" : "units of the complement kind",
      `${clamp ? network.clampUnits : h - network.clampUnits} of ${h}`,
    ],
    [
      "E#FP of its masks, exact",
      expected === null ? "too long to compute here" : formatNumber(expected),
      `random hashes of ${plural(typical, "bit")}: ${random}`,
    ],
    ...(failureProbability
      ? [
          [
            "<var>P</var><sub>fail</sub> of its masks, exact",
            formatProbability(failureProbability),
            "all inputs looked at",
          ],
        ]
      : []),
    [
      "logit of a missing bit",
      `−${formatNumber(network.beta, 2)}`,
      "fitted; the β of the construction beside it",
    ],
  ]);
  drawWeights();
  entriesChart.render();
  confusion = new Confusion();
  showConfusion();
}

if (network) {
  byId("net-new-input").addEventListener("click", () => {
    state.net = randomTokens(network.n, network.k, chance());
    state.nettoken = null;
    changedNet();
    announce(`Tokens ${listOf(state.net)}. ${countOf(net.trace)}`);
  });
  byId("net-find").addEventListener("click", () => {
    const { tokens, draws } = searchFailure(network.family, network.k);
    const tried = plural(draws, "random input");
    if (!tokens) return announce(`None in ${tried}.`);
    state.net = tokens;
    state.nettoken = null;
    changedNet();
    announce(`Found after ${tried}. ${countOf(net.trace)}`);
  });
  byId("net-draw-100").addEventListener("click", () => {
    for (let i = 0; i < 100; i++) drawNet();
    showConfusion();
    announce(byId("net-tally").textContent);
  });
  byId("net-run").addEventListener("click", () => setNetRunning(!netRunning));
  byId("net-show").addEventListener("click", () => {
    setNetRunning(false);
    state.net = confusion.failure.tokens;
    state.netseed = confusion.failure.seed;
    state.nettoken = null;
    state.netstage = STAGES.length;
    changedNet();
    byId("trained").scrollIntoView({ behavior: prefersReducedMotion() ? "auto" : "smooth" });
  });
  onNetworkOpened((own) => {
    prepare(own);
    network = own;
    Object.assign(state, { net: network.start, nettoken: null });
    setNetRunning(false);
    showNetwork();
    changedNet();
  });
  keysOn(byId("net-figure"), netTransport);
}
