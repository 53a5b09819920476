// Numbers, small markup and elements.

const NARROW_SPACE = "\u202f";
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 1234567 as 1 234 567. */
function formatCount(value) {
  return String(value)
    .replace("-", "−")
    .replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE);
}

/** Three significant digits; powers of ten where they are shorter. */
function formatNumber(value, digits = 3) {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5)
    return String(Number(value.toPrecision(digits))).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${mantissa.replace("-", "−")}${NARROW_SPACE}×${NARROW_SPACE}10${superscript(exponent)}`;
}

function superscript(exponent) {
  const number = Number(exponent);
  const figures = String(Math.abs(number)).replace(/\d/g, (figure) => SUPERSCRIPTS[figure]);
  return (number < 0 ? "⁻" : "") + figures;
}

/** A probability in percent, or as a power of ten where that is below a tenth of a percent. */
function formatProbability(value, digits = 3) {
  if (value === 0 || value < 1e-3) return formatNumber(value, digits);
  return `${Number((100 * value).toPrecision(digits))}${NARROW_SPACE}%`;
}

/** One decimal, for logits. */
function formatLogit(value) {
  return String(Number(value.toFixed(1)) || 0).replace("-", "−");
}

/** A share in percent for narrow columns: never a power of ten. */
function formatShare(value) {
  return value > 0 && value < 1e-5
    ? `<${NARROW_SPACE}0.001${NARROW_SPACE}%`
    : `${Number((100 * value).toPrecision(2))}${NARROW_SPACE}%`;
}

/** "3", "3 and 5", "3, 5 and 8". */
function listOf(items) {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

const plural = (count, one, many = `${one}s`) =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** A new HTML element; `content` may hold markup of the page's own making. */
function html(tag, attributes = {}, content = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.innerHTML = content;
  return node;
}

/** A new SVG element inside `parent`. */
function svg(parent, tag, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAll(node, attributes);
  if (text) writeFormula(node, String(text));
  parent.append(node);
  return node;
}

function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

/** Text with subscripts: "x_b" and "W_{E}" in an SVG text element. */
function writeFormula(node, text) {
  let lowered = false;
  for (const [, plain, braced, single] of text.matchAll(/([^_]+)|_\{([^}]+)\}|_(.)/gu)) {
    const part = document.createElementNS("http://www.w3.org/2000/svg", "tspan");
    part.textContent = plain ?? braced ?? single;
    const lower = plain === undefined;
    if (lower) part.setAttribute("class", "sub");
    if (lower !== lowered) part.setAttribute("dy", lower ? "3" : "-3");
    lowered = lower;
    node.append(part);
  }
}

const clampTo = (value, low, high) => Math.min(Math.max(value, low), high);
const ease = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);
const between = (a, b, t) => a + (b - a) * t;
const prefersReducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
