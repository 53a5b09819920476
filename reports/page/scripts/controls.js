// The two controls that both halves of the page share: the tokens, and the steps of the animation.

/** All tokens as toggle buttons, one tab stop; arrows move, Enter and Space take in or out. */
class TokenGrid {
  constructor(host, { onToggle, onInspect }) {
    Object.assign(this, { host, onToggle, onInspect, buttons: [], current: 0 });
    host.addEventListener("click", (event) => {
      const token = this.tokenOf(event.target);
      if (token !== null) this.onToggle(token);
    });
    host.addEventListener("focusin", (event) => {
      const token = this.tokenOf(event.target);
      if (token === null) return;
      this.moveTo(token);
      if (event.target.matches(":focus-visible")) this.onInspect(token);
    });
    host.addEventListener("keydown", (event) => this.onKey(event));
  }

  tokenOf(node) {
    const button = node.closest("button");
    return button ? Number(button.dataset.token) : null;
  }

  moveTo(token) {
    this.buttons[this.current]?.setAttribute("tabindex", "-1");
    this.current = token;
    this.buttons[token].setAttribute("tabindex", "0");
  }

  onKey(event) {
    const first = this.buttons[0].offsetTop;
    const perRow = Math.max(
      this.buttons.findIndex((button) => button.offsetTop > first),
      1,
    );
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -perRow,
      ArrowDown: perRow,
      Home: -this.buttons.length,
      End: this.buttons.length,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const to = clampTo(this.current + moves[event.key], 0, this.buttons.length - 1);
    this.buttons[to].focus();
    this.onInspect(to);
  }

  set(trace, inspected) {
    const { n } = trace.family;
    if (this.buttons.length !== n) {
      this.current = 0;
      this.buttons = Array.from({ length: n }, (_, token) => {
        const button = html("button", { type: "button", tabindex: token ? -1 : 0 }, String(token));
        button.dataset.token = token;
        return button;
      });
      this.host.replaceChildren(...this.buttons);
    }
    this.buttons.forEach((button, token) => {
      const kind = kindOf(trace, token);
      const at = trace.tokens.indexOf(token);
      const name = kind === "other" ? "" : `, ${kind.replace("-", " ")}`;
      const member = at >= 0 ? ` member-${at % MEMBER_COLOURS}` : "";
      const classes = `${kind}${member}${token === inspected ? " inspected" : ""}`;
      if (button.className !== classes) button.className = classes;
      button.setAttribute("aria-pressed", String(kind === "member"));
      const probability = formatProbability(trace.probabilities[token], 2);
      button.setAttribute("aria-label", `token ${token}${name}, probability ${probability}`);
    });
    this.reveal(inspected);
  }

  /** Scrolls the grid, and only the grid, to a token. */
  reveal(token) {
    const { offsetTop, offsetHeight } = this.buttons[token];
    const { scrollTop, clientHeight } = this.host;
    if (offsetTop < scrollTop || offsetTop + offsetHeight > scrollTop + clientHeight) {
      this.host.scrollTop = offsetTop - clientHeight / 2;
    }
  }
}

const SECONDS_PER_STAGE = 1.5;

/** Play, step and scrub; tells `onChange(progress, settled)`. */
class Transport {
  constructor(host, { onChange, caption }) {
    this.onChange = onChange;
    this.caption = caption;
    this.progress = STAGES.length;
    this.playing = null;
    this.play = host.querySelector("[data-play]");
    this.back = host.querySelector("[data-back]");
    this.forward = host.querySelector("[data-forward]");
    this.slider = host.querySelector("input[type=range]");
    this.text = host.querySelector("[data-caption]");
    this.steps = STAGES.map((name, stage) => {
      const step = html("button", { type: "button" }, `<span>${stage + 1}</span> ${name}`);
      step.addEventListener("click", () => this.go(stage + 1));
      return step;
    });
    host.querySelector("[data-steps]").append(...this.steps);
    this.play.addEventListener("click", () => (this.playing ? this.stop() : this.start()));
    this.back.addEventListener("click", () => this.go(Math.ceil(this.progress) - 1));
    this.forward.addEventListener("click", () => this.go(Math.floor(this.progress) + 1));
    this.slider.addEventListener("input", () => {
      this.stop();
      const value = Number(this.slider.value);
      this.move(prefersReducedMotion() ? Math.round(value) : value, true);
    });
  }

  get stage() {
    return clampTo(Math.ceil(this.progress), 1, STAGES.length);
  }

  go(progress) {
    this.stop();
    this.move(clampTo(progress, 0, STAGES.length), true);
  }

  start() {
    const from = this.progress >= STAGES.length ? 0 : this.progress;
    const steady = prefersReducedMotion();
    const began = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      const passed = Math.max(now - began, 0) / 1000 / SECONDS_PER_STAGE;
      const at = steady ? Math.floor(from) + 1 + Math.floor(passed) : from + passed;
      const next = Math.min(at, STAGES.length);
      const done = steady ? passed >= STAGES.length - from : next >= STAGES.length;
      this.move(next, false);
      if (done) this.stop();
      else this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.label();
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.label();
    this.onChange(this.progress, true);
  }

  label() {
    this.play.textContent = this.playing ? "Pause" : "Play";
  }

  move(progress, settled) {
    const before = this.stage;
    this.progress = progress;
    this.render(before !== this.stage);
    this.onChange(progress, settled);
  }

  /** Writes slider, steps and caption; `turned` where the stage is another one. */
  render(turned = true) {
    this.slider.value = this.progress;
    this.slider.style.setProperty("--done", `${(100 * this.progress) / STAGES.length}%`);
    this.back.disabled = this.progress <= 0;
    this.forward.disabled = this.progress >= STAGES.length;
    if (!turned) return;
    const name = STAGES[this.stage - 1];
    this.slider.setAttribute("aria-valuetext", `step ${this.stage} of ${STAGES.length}, ${name}`);
    this.steps.forEach((step, stage) => {
      if (stage === this.stage - 1) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    this.text.innerHTML = this.caption(this.stage);
  }
}
