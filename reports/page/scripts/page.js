// The page: one state, and everything that shows or changes it.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
let network = data.network ? embeddedNetwork(data.network) : null;
if (network) prepare(network);

function prepare(prepared) {
  prepared.start = startingTokens(prepared);
  prepared.beta = fittedBeta(prepared);
}

let state = readState(location.hash, network);

function announce(text) {
  byId("status").textContent = text;
}

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
  state = readState(location.hash, network);
  showAll();
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
