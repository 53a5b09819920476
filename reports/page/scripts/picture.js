// One forward pass as a picture: every band stands on the same columns, the d coordinates.

const STAGES = ["Hashes", "Sum", "ReLU", "Union", "Overlap", "Logits", "Probabilities"];
const MEMBER_COLOURS = 6;
const NEAR_MISSES = 6;
const MOST_ROWS = 20;
const FIGURE = 7.2; // no narrower than a bold figure of a row's values, in pixels
const COLUMN_NAME = 38; // of "overlap"

/** The tokens the overlap rows show: members, false positives, then those that miss fewest bits. */
function shownTokens(trace, inspected) {
  const others = identity(trace.family.n)
    .filter((token) => !trace.members.has(token))
    .sort((a, b) => trace.missing[a] - trace.missing[b] || a - b);
  const room = Math.min(NEAR_MISSES, MOST_ROWS - trace.tokens.length);
  const rows = [...trace.tokens, ...others.slice(0, room)];
  if (inspected !== null && inspected < trace.family.n && !rows.includes(inspected)) {
    rows[rows.length - (room > 0 ? 1 : 0)] = inspected;
  }
  return rows;
}

function kindOf(trace, token) {
  if (trace.members.has(token)) return "member";
  return trace.missing[token] === 0 ? "false-positive" : "other";
}

const MARKS = { member: "●", "false-positive": "▲", other: "" };

class Picture {
  /** paired: drawn with the band heights of a trained network's, whatever it shows. */
  constructor(host, onInspect, { paired = false } = {}) {
    this.host = host;
    this.paired = paired;
    this.onInspect = onInspect;
    this.progress = STAGES.length;
    this.trace = null;
    this.inspected = null;
    this.width = 0;
    this.root = svg(host, "svg", { role: "img" });
    new ResizeObserver(() => {
      if (host.clientWidth !== this.width) this.build();
    }).observe(host);
  }

  /** logitRange: [low, high] of the logits' axis; the trace's own where it is not given. */
  set(trace, inspected, logitRange = null) {
    this.logitRange = logitRange;
    this.trace = trace;
    this.inspected = inspected;
    this.build();
  }

  /** progress s means that the first s stages are done; fractions are on the way. */
  show(progress) {
    this.progress = progress;
    this.animations.forEach((animate, stage) => {
      const fraction = clampTo(progress - stage, 0, 1);
      if (fraction !== this.shown[stage]) animate(fraction);
      this.shown[stage] = fraction;
    });
    for (const { group, stage } of this.headings) {
      group.setAttribute("opacity", progress > stage ? 1 : 0.45);
    }
  }

  build() {
    this.width = this.host.clientWidth;
    if (!this.trace || this.width === 0) return;
    this.root.replaceChildren();
    const narrow = this.width < 460;
    this.left = narrow ? 46 : 78;
    // a row's overlap, logit and probability stand right of the columns, however long they are
    const most = Math.max(...this.trace.family.bits.map((own) => own.length));
    const overlap = Math.max(FIGURE * `${most}/${most}`.length, COLUMN_NAME) + 4;
    this.valueOffsets = narrow ? [overlap] : [overlap, overlap + 42, overlap + 104];
    this.right = this.valueOffsets.at(-1) + 2;
    this.narrow = narrow;
    this.columnWidth = (this.width - this.left - this.right) / this.trace.columns;
    this.patterns();
    this.animations = [];
    this.headings = [];
    this.shown = [];
    let top = 0;
    top = this.hashBand(top);
    top = this.sumBand(top);
    top = this.unionBand(top);
    top = this.overlapBand(top);
    top = this.logitBand(top);
    top = this.probabilityBand(top);
    setAll(this.root, {
      viewBox: `0 0 ${this.width} ${top}`,
      width: this.width,
      height: top,
      "aria-label": this.description(),
    });
    this.show(this.progress);
  }

  description() {
    const { trace } = this;
    const failures = trace.falsePositives.length
      ? `False positives: ${listOf(trace.falsePositives.slice(0, 8))}.`
      : "No false positive.";
    return (
      `Forward pass of tokens ${listOf(trace.tokens)}: their hashes, the sum, the union of ` +
      `${trace.unionSize} of ${trace.columns} bits, overlaps, logits and probabilities. ${failures}`
    );
  }

  patterns() {
    const definitions = svg(this.root, "defs");
    const id = (this.hatch = `hatch-${this.host.id}`);
    const hatch = svg(definitions, "pattern", {
      id,
      width: 5,
      height: 5,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    });
    svg(hatch, "rect", { width: 5, height: 5, class: "hatch-ground" });
    svg(hatch, "rect", { width: 2.2, height: 5, class: "hatch-line" });
  }

  x(column) {
    return this.left + column * this.columnWidth;
  }

  /** A band's heading, dim until its step begins; returns where its drawing begins. */
  heading(top, name, formula) {
    const y = top + 14;
    const group = svg(this.root, "g");
    svg(group, "text", { x: 0, y, class: "band-name" }, name);
    svg(group, "text", { x: this.width, y, class: "formula", "text-anchor": "end" }, formula);
    this.headings.push({ group, stage: this.animations.length });
    return top + 24;
  }

  columnName(top, offset, name) {
    const at = { x: this.plotRight + offset, y: top + 16, "text-anchor": "end", class: "tick" };
    svg(this.headings.at(-1).group, "text", at, name);
  }

  get plotRight() {
    return this.width - this.right;
  }

  /** Colour index of a column's or token's member. */
  memberClass(token) {
    return `member-${this.trace.tokens.indexOf(token) % MEMBER_COLOURS}`;
  }

  hashBand(top) {
    const { trace, narrow } = this;
    const trained = trace.mechanism === "trained";
    const y = this.heading(
      top,
      trained ? "What the tokens write" : "Hashes of the tokens read",
      trained ? (narrow ? "W_{E} W_{in}" : "rows of W_{E} W_{in}") : "S_i ⊂ {0 … d − 1}",
    );
    const pitch = (this.rowPitch = trace.tokens.length > 6 ? 13 : 17);
    this.rowTop = y;
    const largest = Math.max(
      ...trace.contributions.map((row) => Math.max(...row.map(Math.abs))),
      1e-9,
    );
    const rows = trace.tokens.map((token, j) => {
      const group = svg(this.root, "g", { class: this.memberClass(token) });
      this.rowLabel(group, token, y + j * pitch, `×${trace.alpha[j].toFixed(2)}`);
      svg(group, "rect", this.strip(y + j * pitch, pitch - 3));
      const cells = [];
      trace.contributions[j].forEach((value, column) => {
        if (!trained && value === 0) return;
        const share = Math.abs(value) / largest;
        const opacity = trained ? Math.min(share, 1) : 1;
        if (opacity < 0.04) return;
        const kind = owns(trace.family, token, column) ? "own" : "not-own";
        const box = this.cell(column, y + j * pitch, pitch - 3);
        cells.push([svg(group, "rect", { ...box, class: kind }), opacity]);
      });
      return cells;
    });
    this.animations.push((f) => {
      rows.forEach((cells, j) => {
        const mine = clampTo(f * rows.length - j, 0, 1);
        cells.forEach(([node, opacity], i) => {
          node.setAttribute("opacity", mine * cells.length > i ? opacity : 0);
        });
      });
    });
    return y + trace.tokens.length * pitch + 8;
  }

  rowLabel(group, token, y, detail) {
    const height = this.rowPitch - 3;
    const kind = kindOf(this.trace, token);
    const label = `${MARKS[kind]}${MARKS[kind] ? NARROW_SPACE : ""}${token}`;
    const at = { y: y + height / 2 + 4, "text-anchor": "end", class: `row-label ${kind}` };
    svg(group, "text", { ...at, x: this.narrow ? this.left - 6 : 38 }, label);
    if (!this.narrow && detail) {
      svg(group, "text", { ...at, x: this.left - 6, class: "row-detail" }, detail);
    }
  }

  strip(y, height) {
    return { x: this.left, y, width: this.plotRight - this.left, height, class: "strip", rx: 1.5 };
  }

  cell(column, y, height) {
    const gap = this.columnWidth > 4 ? 1 : 0.3;
    return { x: this.x(column) + gap / 2, y, width: Math.max(this.columnWidth - gap, 0.7), height };
  }

  sumBand(top) {
    const { trace, narrow } = this;
    const { before, hidden, threshold, mechanism } = trace;
    const trained = mechanism === "trained";
    const y = this.heading(
      top,
      trained ? "Their sum, in the hidden basis" : "Residual stream",
      trained ? "x W_{in}" : "x = Σ α_j W_{E}[i_j]",
    );
    const height = narrow ? 84 : 104;
    const finite = [...before, ...threshold.filter((value) => Math.abs(value) < 1e3)];
    const high = Math.max(...finite, 1.25) * 1.06;
    const low = Math.min(0, ...before) * 1.06;
    const scale = height / (high - low);
    const zero = y + high * scale;
    const at = (value) => zero - value * scale;

    const segments = trace.tokens.map(() => []);
    const bars = svg(this.root, "g");
    const stacked = new Float64Array(trace.columns);
    if (trained) {
      before.forEach((value, column) => {
        const box = this.cell(column, Math.min(at(value), zero), Math.abs(value) * scale);
        const kind = trace.union[column] ? "union-bar" : "outside-bar";
        segments[0].push({ node: svg(bars, "rect", { ...box, class: kind }), to: box, from: zero });
      });
    } else {
      trace.contributions.forEach((row, j) => {
        row.forEach((value, column) => {
          if (value === 0) return;
          const to = this.cell(column, at(stacked[column] + value), value * scale);
          stacked[column] += value;
          const node = svg(bars, "rect", {
            ...to,
            class: `own ${this.memberClass(trace.tokens[j])}`,
          });
          const from = this.rowTop + j * this.rowPitch;
          segments[j].push({ node, to, from, height: this.rowPitch - 3 });
        });
      });
    }
    svg(this.root, "line", {
      x1: this.left,
      x2: this.plotRight,
      y1: zero,
      y2: zero,
      class: "axis",
    });
    svg(
      this.root,
      "text",
      { x: this.left - 6, y: zero + 4, class: "tick", "text-anchor": "end" },
      "0",
    );
    this.animations.push((f) => {
      segments.forEach((mine, j) => {
        const t = ease(clampTo(f * (1 + 0.45 * (segments.length - 1)) - 0.45 * j, 0, 1));
        for (const { node, to, from, height: start } of mine) {
          if (start === undefined) {
            const size = to.height * t;
            setAll(node, { y: to.y < from - 0.01 ? from - size : from, height: size });
          } else {
            setAll(node, { y: between(from, to.y, t), height: between(start, to.height, t) });
          }
          node.setAttribute("opacity", t > 0 ? 1 : 0);
        }
      });
    });

    // what the hidden units make of it
    const layer = svg(this.root, "g");
    trace.hidden.forEach((value, column) => {
      if (value <= 0) return;
      const base = trained ? threshold[column] : mechanism === "clamp" ? 1 : before[column];
      const box = this.cell(column, at(base + value), value * scale);
      svg(layer, "rect", { ...box, fill: `url(#${this.hatch})`, class: "hidden-bar" });
    });
    if (trained) {
      threshold.forEach((value, column) => {
        const from = this.x(column);
        const level = { y1: at(value), y2: at(value), class: "threshold" };
        svg(layer, "line", { x1: from, x2: from + this.columnWidth, ...level });
      });
      const mean = threshold.reduce((a, b) => a + b, 0) / threshold.length;
      svg(layer, "text", { x: this.plotRight + 5, y: at(mean) + 4, class: "tick" }, "−b_{in}");
    } else {
      const level = { y1: at(1), y2: at(1), class: "threshold" };
      svg(layer, "line", { x1: this.left, x2: this.plotRight, ...level });
      svg(
        layer,
        "text",
        { x: this.left - 6, y: at(1) + 4, class: "tick", "text-anchor": "end" },
        "1",
      );
    }
    const names = {
      clamp: "ReLU(x − 1)",
      complement: "ReLU(1 − x)",
      trained: "ReLU(x W_{in} + b_{in})",
    };
    if (!narrow) {
      const x = this.plotRight + 5;
      svg(layer, "rect", {
        x,
        y: y + 3,
        width: 11,
        height: 11,
        fill: `url(#${this.hatch})`,
        class: "hidden-bar",
      });
      const short = trained ? "hidden units" : names[mechanism];
      svg(layer, "text", { x: x + 16, y: y + 12.5, class: "formula" }, short);
    }
    this.animations.push((f) => layer.setAttribute("opacity", f));
    this.barsAt = at;
    return y + height + 8;
  }

  unionBand(top) {
    const { trace, narrow } = this;
    const trained = trace.mechanism === "trained";
    const complement = trace.mechanism === "complement";
    const formulas = {
      clamp: "x′ = x − ReLU(x − 1)",
      complement: "x′ = −ReLU(1 − x)",
      trained: trace.readsHidden
        ? "−ReLU(x W_{in} + b_{in})"
        : narrow
          ? "x′ W_{in}"
          : "(x + ReLU(x W_{in} + b_{in}) W_{out}) W_{in}",
    };
    const name = trained
      ? trace.readsHidden
        ? "Minus what fires"
        : "After the layer"
      : complement
        ? "Complement of the union"
        : "Union";
    const y = this.heading(top, name, formulas[trace.mechanism]);
    const height = this.paired && !narrow ? 58 : trained ? 48 : 26;
    const high = Math.max(0, ...trace.after);
    const low = Math.min(0, ...trace.after);
    const scale = height / (high - low || 1);
    const zero = y + high * scale;
    const group = svg(this.root, "g");
    const bars = [];
    trace.after.forEach((value, column) => {
      if (value === 0) return;
      const to = this.cell(column, zero - Math.max(value, 0) * scale, Math.abs(value) * scale);
      const inside = trace.union[column] === 1;
      const node = svg(group, "rect", { ...to, class: inside ? "union-bar" : "outside-bar" });
      const start = trace.before[column];
      const fromTop = complement ? this.barsAt(1) : this.barsAt(Math.max(start, 0));
      const tall = complement ? 1 : Math.abs(start);
      const fromHeight = Math.abs(this.barsAt(tall) - this.barsAt(0));
      bars.push({ node, to, fromTop, fromHeight });
    });
    svg(this.root, "line", {
      x1: this.left,
      x2: this.plotRight,
      y1: zero,
      y2: zero,
      class: "axis",
    });
    const ends = trained ? [] : [[complement ? "−1" : "1", complement ? y + height : y + 8]];
    for (const [label, at] of ends) {
      svg(
        this.root,
        "text",
        { x: this.left - 6, y: at, class: "tick", "text-anchor": "end" },
        label,
      );
    }
    const zeroAt = complement ? y + 5 : zero + (trained ? 4 : 0);
    svg(
      this.root,
      "text",
      { x: this.left - 6, y: zeroAt, class: "tick", "text-anchor": "end" },
      "0",
    );
    if (!narrow) {
      const x = this.plotRight + 5;
      const counted = `${trace.unionSize} of ${trace.columns} bits`;
      svg(group, "text", { x, y: y + height / 2 + 4, class: "row-detail" }, counted);
    }
    this.animations.push((f) => {
      const t = ease(f);
      for (const { node, to, fromTop, fromHeight } of bars) {
        setAll(node, { y: between(fromTop, to.y, t), height: between(fromHeight, to.height, t) });
      }
      group.setAttribute("opacity", Math.min(f * 4, 1));
    });
    return y + height + 8;
  }

  /** Token by token, the bits of its hash: coloured by the members that cover them, or hollow. */
  overlapBand(top) {
    const { trace } = this;
    const y = this.heading(top, "Overlap with the union", "");
    const names = ["overlap", "logit", "prob."];
    this.valueOffsets.forEach((offset, i) => this.columnName(top, offset, names[i]));
    const tokens = shownTokens(trace, this.inspected);
    const pitch = (this.rowPitch = 17);
    const groups = tokens.map((token, row) => this.overlapRow(token, y + row * pitch));
    this.animations.push((f) => {
      groups.forEach(({ group, bits, values }, row) => {
        const mine = clampTo(f * (groups.length + 3) - row, 0, 1);
        group.setAttribute("opacity", Math.min(3 * mine, 1));
        bits.forEach((node, i) =>
          node.setAttribute("opacity", mine * bits.length >= i + 1 ? 1 : 0),
        );
        values[0].setAttribute("opacity", mine === 1 ? 1 : 0);
      });
    });
    this.rowValues = groups.map(({ values }) => values);
    return y + tokens.length * pitch + 8;
  }

  overlapRow(token, y) {
    const { trace } = this;
    const { family } = trace;
    const height = this.rowPitch - 3;
    const kind = kindOf(trace, token);
    const group = svg(this.root, "g", {
      class: `row ${kind}${token === this.inspected ? " inspected" : ""}`,
      "data-token": token,
    });
    const hit = {
      x: 0,
      y: y - 1.5,
      width: this.width,
      height: this.rowPitch,
      class: "row-ground",
      rx: 3,
    };
    svg(group, "rect", hit);
    this.rowLabel(group, token, y, "");
    svg(group, "rect", this.strip(y, height));
    const bits = family.bits[token].map((bit) => {
      const box = this.cell(bit, y, height);
      const node = svg(group, "g", { opacity: 1 });
      const covering = trace.members.has(token)
        ? [token]
        : trace.tokens.filter((member) => owns(family, member, bit));
      if (!covering.length) {
        const inset = {
          x: box.x + 0.5,
          y: y + 0.5,
          width: Math.max(box.width - 1, 0.5),
          height: height - 1,
        };
        svg(node, "rect", { ...inset, class: "missing" });
      }
      covering.forEach((member, i) => {
        const part = height / covering.length;
        const stripe = {
          ...box,
          y: y + i * part,
          height: part,
          class: `own ${this.memberClass(member)}`,
        };
        svg(node, "rect", stripe);
      });
      return node;
    });
    const own = family.bits[token].length;
    const texts = [
      `${own - trace.missing[token]}/${own}`,
      formatLogit(trace.logits[token]),
      formatShare(trace.probabilities[token]),
    ];
    const values = this.valueOffsets.map((offset, i) => {
      const at = { x: this.plotRight + offset, y: y + height / 2 + 4, "text-anchor": "end" };
      return svg(group, "text", { ...at, class: "row-value" }, texts[i]);
    });
    group.addEventListener("click", () => this.onInspect(token));
    return { group, bits, values };
  }

  /** Every token once: its missing bits along, its logit up; one level per missing bit. */
  logitBand(top) {
    const { trace, narrow } = this;
    const { logits, missing } = trace;
    const formulas = {
      clamp: trace.levelled && !narrow ? "β |S_i ∩ union| − β |S_i|" : "β |S_i ∩ union|",
      complement: "−β |S_i ∖ union|",
      trained: narrow ? "x′ W_{U}, less a mean" : "x′ W_{U} − members’ mean",
    };
    const y = this.heading(top, "Logits, by missing bits", formulas[trace.mechanism]) + 12;
    const height = narrow ? 96 : 112;
    const most = Math.max(...missing, 1);
    const [low, high] = this.logitRange ?? [Math.min(...logits), Math.max(...logits)];
    const at = (value) => y + ((high - value) / (high - low || 1)) * height;
    const levelWidth = (this.plotRight - this.left) / (most + 1);
    const labels = svg(this.root, "g");
    const group = svg(this.root, "g");
    const counts = new Array(most + 1).fill(0);
    missing.forEach((bits) => (counts[bits] += 1));
    const placed = new Array(most + 1).fill(0);
    const radius = trace.family.n > 200 ? 1.7 : 2.6;
    const dots = [];
    const draw = (token) => {
      const bits = missing[token];
      const spread = Math.min(levelWidth - 2 * radius - 4, counts[bits] * 2.2 * radius);
      const share = (placed[bits]++ + 0.5) / counts[bits] - 0.5;
      const kind = kindOf(trace, token);
      const node = svg(group, "circle", {
        cx: this.left + (bits + 0.5) * levelWidth + share * Math.max(spread, 0),
        r: kind === "other" ? radius : 3.4,
        class: `dot ${kind} ${kind === "member" ? this.memberClass(token) : ""}`,
      });
      dots.push([node, at(logits[token])]);
    };
    const others = [...missing.keys()].filter((token) => kindOf(trace, token) === "other");
    others.forEach(draw);
    [...trace.tokens, ...trace.falsePositives].forEach(draw);
    const floor = y + height + 6;
    svg(this.root, "line", {
      x1: this.left,
      x2: this.plotRight,
      y1: floor,
      y2: floor,
      class: "axis",
    });
    counts.forEach((count, bits) => {
      const x = this.left + (bits + 0.5) * levelWidth;
      const sparse = levelWidth < 17 && bits % 2 === 1;
      if (!sparse)
        svg(
          labels,
          "text",
          { x, y: floor + 13, class: "tick", "text-anchor": "middle" },
          String(bits),
        );
      if (count && (!sparse || levelWidth > 22)) {
        const over = { x, y: y - 8, class: "tick faint", "text-anchor": "middle" };
        if (levelWidth >= 24) svg(labels, "text", over, `${formatCount(count)}`);
      }
    });
    const levels =
      trace.mechanism === "trained" ? ticksOf(low, high, false, 6) : [...new Set(logits)];
    for (const value of levels) {
      const y = at(value);
      svg(labels, "line", { x1: this.left, x2: this.plotRight, y1: y, y2: y, class: "grid" });
      const label = { x: this.left - 6, y: y + 4, class: "tick", "text-anchor": "end" };
      svg(labels, "text", label, formatLogit(value));
    }
    if (!narrow) {
      svg(labels, "text", { x: this.plotRight + 5, y: floor + 13, class: "tick" }, "missing bits");
      svg(labels, "text", { x: this.plotRight + 5, y: y - 8, class: "tick faint" }, "tokens");
    }
    this.animations.push((f) => {
      const t = ease(f);
      for (const [node, to] of dots) {
        setAll(node, { cy: between(floor, to, t), opacity: Math.min(f * 4, 1) });
      }
      labels.setAttribute("opacity", f);
      if (!narrow)
        for (const values of this.rowValues) values[1].setAttribute("opacity", f === 1 ? 1 : 0);
    });
    return floor + 24;
  }

  /** Bars over the whole vocabulary; on the way there the logits' scale grows from 0. */
  probabilityBand(top) {
    const { trace, narrow } = this;
    const { n } = trace.family;
    const k = trace.tokens.length;
    const y = this.heading(top, "Probabilities of all tokens", "softmax") + 12;
    const height = narrow ? 74 : 88;
    const high = Math.max(1 / k, ...trace.probabilities) * 1.02;
    const scale = height / high;
    const floor = y + height;
    const start = this.left;
    const step = (this.width - (narrow ? 0 : 36) - start) / n;
    const target = {
      x1: start,
      x2: start + n * step,
      y1: floor - scale / k,
      y2: floor - scale / k,
    };
    svg(this.root, "line", { ...target, class: "target" });
    svg(
      this.root,
      "text",
      { x: start - 6, y: floor - scale / k + 4, class: "tick", "text-anchor": "end" },
      "1/k",
    );
    svg(this.root, "line", {
      x1: start,
      x2: start + n * step,
      y1: floor,
      y2: floor,
      class: "axis",
    });
    const bars = [];
    trace.probabilities.forEach((_, token) => {
      const kind = kindOf(trace, token);
      const width = Math.max(step - (step > 4 ? 1 : 0), kind === "other" ? 0.8 : 2.5);
      const x = start + (token + 0.5) * step - width / 2;
      const colour = kind === "member" ? this.memberClass(token) : "";
      bars.push(svg(this.root, "rect", { x, width, class: `probability ${kind} ${colour}` }));
    });
    const labels = svg(this.root, "g");
    const taken = [];
    const visible = [...trace.probabilities.keys()]
      .filter((token) => trace.probabilities[token] > 0.02 * high || trace.members.has(token))
      .sort((a, b) => trace.probabilities[b] - trace.probabilities[a]);
    for (const token of visible.slice(0, 24)) {
      const x = start + (token + 0.5) * step;
      const reach = 3.6 * String(token).length + 1;
      if (taken.some((other) => Math.abs(other.x - x) < other.reach + reach)) continue;
      taken.push({ x, reach });
      const label = {
        x,
        y: floor - trace.probabilities[token] * scale - 4,
        "text-anchor": "middle",
      };
      svg(labels, "text", { ...label, class: `row-label ${kindOf(trace, token)}` }, String(token));
    }
    svg(this.root, "text", { x: start, y: floor + 13, class: "tick" }, "token 0");
    svg(
      this.root,
      "text",
      { x: start + n * step, y: floor + 13, class: "tick", "text-anchor": "end" },
      String(n - 1),
    );
    this.animations.push((f) => {
      const now = f === 1 ? trace.probabilities : softmax(trace.logits, ease(f));
      bars.forEach((node, token) => {
        const size = f === 0 ? 0 : now[token] * scale;
        setAll(node, { y: floor - size, height: size });
      });
      labels.setAttribute("opacity", f === 1 ? 1 : 0);
      if (!narrow)
        for (const values of this.rowValues) values[2].setAttribute("opacity", f === 1 ? 1 : 0);
    });
    return floor + 20;
  }
}
