// Everything is defined: show it.

function showAll() {
  showTheme();
  showLab();
  showRates();
  if (network) showNet();
}

byId("lab-controls").open = matchMedia("(min-width: 760px)").matches;
showAll();
showNotes(addressNotes);
if (network) showNetwork();
const check = selfCheck(data.golden);
byId("self-check").textContent =
  check.worst < 1e-9
    ? `On opening, this page recomputed ${formatCount(check.count)} numbers that Python had computed; the largest relative difference is ${formatNumber(check.worst, 2)}.`
    : `This page's arithmetic does not agree with Python's in this browser (difference ${formatNumber(check.worst, 2)}). Do not trust its numbers here.`;

// for the tests, and for a console
window.reluBloom = {
  arithmetic,
  golden: data.golden,
  selfCheck,
  state: () => ({ ...state }),
  network: () => network,
  traces: () => ({ lab: labTrace, ...net }),
  readState,
  writeState,
  readSafetensors,
  half: halfPrecision,
  splitUnits,
  randomFamily,
  randomTokens,
  coefficients,
  drawWithNewHashes,
  drawWithTheseHashes,
};
