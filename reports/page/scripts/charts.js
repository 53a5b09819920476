// Small charts: the running rate, the exact curves, the entries of a weight matrix.

/** Axes in an SVG that fits its host; scales are linear or log10. */
class Chart {
  constructor(host, draw) {
    this.host = host;
    this.root = svg(host, "svg", { role: "img" });
    this.draw = draw;
    new ResizeObserver(() => {
      if (host.clientWidth !== this.width) this.render();
    }).observe(host);
  }

  render() {
    this.width = this.host.clientWidth;
    if (this.width === 0) return;
    this.height = this.width < 460 ? 210 : 250;
    this.box = { left: 56, right: this.width - 12, top: 12, bottom: this.height - 40 };
    this.root.replaceChildren();
    setAll(this.root, {
      viewBox: `0 0 ${this.width} ${this.height}`,
      width: this.width,
      height: this.height,
    });
    this.draw(this);
  }

  describe(text) {
    this.root.setAttribute("aria-label", text);
  }

  /** Scale, ticks and name of the horizontal axis; returns value -> x. */
  horizontal(low, high, name, { log = false } = {}) {
    const { left, right, bottom } = this.box;
    const at = scaleOf(low, high, left, right, log);
    svg(this.root, "line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" });
    for (const value of ticksOf(low, high, log, this.width < 460 ? 5 : 8)) {
      const x = at(value);
      svg(this.root, "line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "axis" });
      const text = log && value > 1e3 ? `10${superscript(Math.log10(value))}` : formatCount(value);
      svg(this.root, "text", { x, y: bottom + 16, class: "tick", "text-anchor": "middle" }, text);
    }
    svg(
      this.root,
      "text",
      { x: right, y: bottom + 32, class: "axis-name", "text-anchor": "end" },
      name,
    );
    return at;
  }

  /** The same upwards; grid lines instead of ticks. */
  vertical(low, high, { log = false, format = formatNumber } = {}) {
    const { left, right, top, bottom } = this.box;
    const at = scaleOf(low, high, bottom, top, log);
    for (const value of ticksOf(low, high, log, 5)) {
      const y = at(value);
      svg(this.root, "line", { x1: left, x2: right, y1: y, y2: y, class: "grid" });
      svg(
        this.root,
        "text",
        { x: left - 6, y: y + 4, class: "tick", "text-anchor": "end" },
        format(value),
      );
    }
    return at;
  }

  path(points, attributes) {
    const steps = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`);
    return svg(this.root, "path", { d: steps.join(""), fill: "none", ...attributes });
  }
}

function scaleOf(low, high, from, to, log) {
  const place = log ? Math.log : (value) => value;
  const [a, b] = [place(low), place(high)];
  return (value) => from + ((place(value) - a) / (b - a || 1)) * (to - from);
}

function ticksOf(low, high, log, most) {
  const ticks = [];
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const step = Math.max(1, Math.ceil((last - first + 1) / most));
    for (let power = last; power >= first; power -= step) ticks.push(Number(`1e${power}`));
    if (last - first < 2) {
      const between = ticks.flatMap((tick) => [tick / 5, tick / 2]);
      ticks.push(...between.filter((tick) => tick > low));
    }
    return ticks;
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/** A matrix as a grid of pixels, its smallest entry light and its largest dark. */
function drawHeatMap(canvas, rows, columns, value) {
  const values = Float64Array.from({ length: rows * columns }, (_, i) =>
    value(Math.floor(i / columns), i % columns),
  );
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const style = getComputedStyle(canvas);
  const [from, to] = ["--heat-low", "--heat-high"].map((name) => resolvedColour(style, name));
  values.forEach((entry, i) => {
    const share = (entry - low) / (high - low || 1);
    for (let part = 0; part < 3; part++) {
      image.data[4 * i + part] = between(from[part], to[part], share);
    }
    image.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A colour property as [red, green, blue], whatever its notation and the theme. */
function resolvedColour(style, name) {
  const probe = html("span", { style: `color: ${style.getPropertyValue(name)}` });
  document.body.append(probe);
  const colour = getComputedStyle(probe)
    .color.match(/[\d.]+/g)
    .slice(0, 3)
    .map(Number);
  probe.remove();
  return colour;
}
