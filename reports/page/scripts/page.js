// The page: one state, and everything that shows or changes it.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
let network = data.network ? embeddedNetwork(data.network) : null;
if (network) prepare(network);

function prepare(prepared) {
  prepared.start = startingTokens(prepared);
  prepared.beta = fittedBeta(prepared);
}

const addressNotes = [];
let state = readState(location.hash, network, addressNotes);

function announce(text) {
  byId("status").textContent = text;
}

/** What was changed of what was asked for, below the sizes; nothing where all was taken. */
function showNotes(notes) {
  byId("sizes-note").textContent = notes.join(" ");
  if (notes.length) byId("lab-controls").open = true;
}

// ---- links inside the page, whose address belongs to the state ----

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && byId(link.getAttribute("href").slice(1));
  if (!target) return;
  event.preventDefault();
  if (link.closest(".contents")) link.closest("details").open = false;
  target.scrollIntoView({ behavior: prefersReducedMotion() ? "auto" : "smooth" });
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
});

// ---- the address ----

let addressTimer = null;
function saveState() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const fragment = writeState(state, network);
    if (fragment !== location.hash.replace(/^#/, "")) {
      history.replaceState(
        null,
        "",
        fragment ? `#${fragment}` : location.pathname + location.search,
      );
    }
  }, 120);
}

addEventListener("hashchange", () => {
  const notes = [];
  state = readState(location.hash, network, notes);
  showAll();
  showNotes(notes);
});

// ---- theme ----

function showTheme() {
  document.documentElement.dataset.theme = state.theme;
  byId("theme").textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[
    state.theme
  ];
  if (network) drawWeights();
}

byId("theme").addEventListener("click", () => {
  state.theme = CHOICES.theme[(CHOICES.theme.indexOf(state.theme) + 1) % CHOICES.theme.length];
  showTheme();
  saveState();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener(
  "change",
  () => network && drawWeights(),
);
