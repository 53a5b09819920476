// Second part: how often it fails, counted and exact.

/** A run of random inputs, counted; history holds the running rate at growing numbers of draws. */
class Tally {
  constructor() {
    Object.assign(this, { draws: 0, failures: 0, history: [], last: null });
  }

  add(result) {
    this.draws += 1;
    if (result.failed) {
      this.failures += 1;
      this.last = result;
    }
    const previous = this.history.length ? this.history[this.history.length - 1].draws : 0;
    if (this.draws >= previous * 1.03) this.note();
  }

  note() {
    const { draws, failures } = this;
    if (draws && this.history.at(-1)?.draws !== draws) {
      this.history.push({
        draws,
        rate: failures / draws,
        interval: clopperPearson(failures, draws),
      });
    }
  }
}

/** "3 of 100 inputs failed: 3 %, 95 % interval …", with markup. */
function countedText(failures, draws) {
  if (!draws) return "Nothing drawn yet.";
  const [low, high] = clopperPearson(failures, draws).map((value) => formatProbability(value));
  const inputs = `<b>${formatCount(failures)}</b> of <b>${formatCount(draws)}</b> inputs failed`;
  return `${inputs}: <b>${formatProbability(failures / draws)}</b>, 95 % interval ${low} to ${high}`;
}

function drawRunningRate(chart, tally, lines) {
  const last = tally.history.at(-1);
  const reference = Math.max(...lines.map(({ value }) => value));
  const seen = last ? last.rate : 0;
  const high = clampTo(
    Math.max(reference * 2.2, seen * 1.6, last ? Math.min(last.interval[1] * 1.2, 0.1) : 0),
    1e-9,
    1,
  );
  const x = chart.horizontal(1, Math.max(100, tally.draws), "random inputs drawn", { log: true });
  const y = chart.vertical(0, high, { format: (value) => formatProbability(value, 2) });
  const { left, right, top, bottom } = chart.box;
  const clip = `clip-${chart.host.id}`;
  const definition = svg(svg(chart.root, "defs"), "clipPath", { id: clip });
  svg(definition, "rect", { x: left, y: top - 4, width: right - left, height: bottom - top + 4 });
  const area = svg(chart.root, "g", { "clip-path": `url(#${clip})` });
  const points = tally.history;
  if (points.length) {
    const upper = points.map((p) => [x(p.draws), y(p.interval[1])]);
    const lower = points.map((p) => [x(p.draws), y(p.interval[0])]).reverse();
    area.append(chart.path([...upper, ...lower], { class: "band" }));
  }
  lines.forEach(({ value, kind }) => {
    area.append(
      chart.path(
        [
          [left, y(value)],
          [right, y(value)],
        ],
        { class: `reference ${kind}` },
      ),
    );
  });
  if (points.length) {
    area.append(
      chart.path(
        points.map((p) => [x(p.draws), y(p.rate)]),
        { class: "running" },
      ),
    );
    svg(area, "circle", { cx: x(last.draws), cy: y(last.rate), r: 3.5, class: "running-dot" });
  }
  chart.describe(
    last
      ? `Running failure rate: ${formatProbability(last.rate)} after ${last.draws} draws; exact ${formatProbability(lines[0].value)}.`
      : `No draws yet; exact failure probability ${formatProbability(lines[0].value)}.`,
  );
}

/** P_fail against m at this d, or against d at the best m of each d: exact, and the textbook's. */
function failureCurve(n, k, d, m, kind) {
  if (kind === "m") {
    const last = Math.min(d, Math.max(12, Math.ceil((2.5 * d) / k), m));
    return Array.from({ length: last }, (_, i) => ({
      at: i + 1,
      exact: failureProbability(n, k, d, i + 1),
      classic: classicFailure(n, k, d, i + 1),
    }));
  }
  const last = clampTo(2 * d, 48, 256);
  const points = [];
  let guess;
  for (let width = 2; width <= last; width += last > 128 ? 2 : 1) {
    const best = bestHashes(n, k, width, guess);
    guess = best.m;
    points.push({ at: width, exact: best.failure, classic: classicFailure(n, k, width, best.m) });
  }
  return points;
}

function drawCurve(chart, points, { at, exact, kind, measured }) {
  const smallest = Math.min(1, ...points.map((p) => p.exact).filter((value) => value > 0));
  const low = 10 ** Math.floor(Math.log10(Math.max(smallest, 1e-30)));
  const name = kind === "m" ? "m, hash bits a token" : "d, residual width (best m for each)";
  const x = chart.horizontal(kind === "m" ? 1 : 0, points.at(-1).at, name);
  const y = chart.vertical(Math.min(low, 0.1), 1, {
    log: true,
    format: (value) =>
      value === 1 ? "1" : value >= 0.01 ? String(value) : `10${superscript(Math.log10(value))}`,
  });
  const seen = (p) => p > 0;
  for (const [key, style] of [
    ["classic", "reference textbook"],
    ["exact", "curve"],
  ]) {
    const line = points
      .filter((p) => seen(p[key]))
      .map((p) => [x(p.at), Math.min(y(p[key]), chart.box.bottom)]);
    chart.path(line, { class: style });
  }
  if (exact > 0)
    svg(chart.root, "circle", { cx: x(at), cy: y(Math.max(exact, low)), r: 5, class: "here" });
  if (measured && measured.interval[1] > low) {
    const place = {
      x1: x(at),
      x2: x(at),
      y1: y(Math.max(measured.interval[0], low)),
      y2: y(measured.interval[1]),
    };
    svg(chart.root, "line", { ...place, class: "whisker" });
    if (measured.rate > 0)
      svg(chart.root, "circle", { cx: x(at), cy: y(measured.rate), r: 2.6, class: "running-dot" });
  }
  chart.describe(
    `Exact failure probability against ${name}; ${formatProbability(exact)} at ${kind} = ${at}.`,
  );
}

// ---- what shows and changes it ----

let tally = new Tally();
let tallyKey = "";
let rates = null;
let running = false;
const runningChart = new Chart(byId("running-chart"), (chart) => {
  if (rates) drawRunningRate(chart, tally, rates.lines);
});
const curveChart = new Chart(byId("curve-chart"), (chart) => {
  if (!rates?.curve) return;
  const annealed = state.draws === "new" ? tally.history.at(-1) : null;
  const at = state.curve === "m" ? state.m : state.d;
  drawCurve(chart, rates.curve, { at, exact: rates.exact, kind: state.curve, measured: annealed });
});

/** A tally belongs to its sizes, its hashes and its way of drawing. */
function clearTallyOfOthers() {
  const { n, d, m, seed, draws } = state;
  const key = [n, state.tokens.length, d, m, draws, seed].join();
  if (key !== tallyKey) {
    tally = new Tally();
    setRunning(false);
  }
  tallyKey = key;
}

function showRates() {
  clearTallyOfOthers();
  const { n, d, m, draws } = state;
  const k = state.tokens.length;
  const exact = failureProbability(n, k, d, m);
  const lines = [{ value: exact, kind: "annealed" }];
  const own = canEnumerate(family, k) ? enumeratedFailure(family, k) : null;
  if (draws === "these" && own !== null) lines.push({ value: own, kind: "quenched" });
  const curve = failureCurve(n, k, d, m, state.curve);
  rates = { exact, own, lines, curve };
  const rate = falsePositiveRate(k, d, m);
  const best = bestHashes(n, k, d);
  byId("exact-facts").innerHTML = definitionList([
    [
      "<var>P</var><sub>fail</sub>, exact",
      `<b>${formatProbability(exact, 4)}</b>`,
      "an input has a false positive; average over all hashes",
    ],
    [
      "…of these very hashes",
      own === null ? "too many inputs to list" : formatProbability(own, 4),
      own === null ? "" : `all ${formatCount(countSets(n, k))} inputs looked at`,
    ],
    ["FPR, exact", formatProbability(rate), "one given non-member is covered"],
    ["E#FP", formatNumber((n - k) * rate), "false positives an input, on average"],
    [
      "textbook <var>P</var><sub>fail</sub>",
      formatProbability(classicFailure(n, k, d, m)),
      "1 − (1 − (1 − e<sup>−km/d</sup>)<sup>m</sup>)<sup>n−k</sup>",
    ],
    [
      "best <var>m</var> at this <var>d</var>",
      `${best.m}`,
      `<var>P</var><sub>fail</sub> = ${formatProbability(best.failure)}`,
    ],
  ]);
  byId("lab-rates").innerHTML = definitionList([
    ["<var>P</var><sub>fail</sub> of a random input", formatProbability(exact)],
    ["best <var>m</var>", `${best.m} (${formatProbability(best.failure)})`],
  ]);
  curveChart.render();
  showTally();
}

function showTally() {
  const { draws, failures } = tally;
  tally.note();
  byId("tally").innerHTML = countedText(failures, draws);
  byId("show-failure").disabled = !tally.last;
  runningChart.render();
}

let scratch = identity(0);
function drawOne() {
  const { seed, n, d, m } = state;
  const k = state.tokens.length;
  const number = tally.draws + 1;
  if (scratch.length !== d) scratch = identity(d);
  tally.add(
    state.draws === "new"
      ? drawWithNewHashes(seed, number, n, k, d, m, scratch)
      : drawWithTheseHashes(seed, number, family, k),
  );
}

function setRunning(on) {
  if (running === on) return;
  running = on;
  byId("run").textContent = on ? "Pause" : "Run";
  if (!on) return;
  const turn = () => {
    if (!running) return;
    const until = performance.now() + 9;
    while (performance.now() < until) drawOne();
    showTally();
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
}

function drawMany(count) {
  for (let i = 0; i < count; i++) drawOne();
  showTally();
  curveChart.render();
  announce(byId("tally").textContent);
}

byId("draw-1").addEventListener("click", () => drawMany(1));
byId("draw-100").addEventListener("click", () => drawMany(100));
byId("run").addEventListener("click", () => {
  setRunning(!running);
  if (!running) {
    curveChart.render();
    announce(byId("tally").textContent);
  }
});
byId("clear").addEventListener("click", () => {
  setRunning(false);
  tally = new Tally();
  showTally();
  curveChart.render();
});
byId("show-failure").addEventListener("click", () => {
  const { tokens, seed } = tally.last;
  setRunning(false);
  state.tokens = tokens;
  state.seed = seed;
  state.token = null;
  state.stage = STAGES.length;
  changed();
  byId("forward").scrollIntoView({ behavior: prefersReducedMotion() ? "auto" : "smooth" });
  announce(
    `The failing input: tokens ${listOf(tokens)}; false positive ${listOf(labTrace.falsePositives)}.`,
  );
});
