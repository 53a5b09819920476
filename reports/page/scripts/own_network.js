// A file of one's own: what its tensors are is guessed from their names, or said by hand.

let opened = null; // { name, file } that was chosen last

/** What a tensor of so many axes may be: ours of the name, and whether it is stored transposed. */
function usesOf(axes) {
  const matching = Object.entries(SHAPES).filter(([, letters]) => letters.length === axes);
  return matching.flatMap(([role, letters]) => {
    const shape = (order) => `${role} [${order.join(", ")}]`;
    const asStored = { role, flipped: false, label: shape(letters) };
    const turned = { role, flipped: true, label: shape([...letters].reverse()) };
    return axes === 2 ? [asStored, turned] : [asStored];
  });
}

/** A row for each tensor, in which the reader says what it is. */
function showNames(roles, flipped) {
  const rows = Object.entries(opened.file.tensors).map(([key, { shape }]) => {
    const row = html("tr");
    const name = html("th", { scope: "row" });
    const choice = html("select", { "aria-label": key });
    name.textContent = key;
    choice.append(new Option("?", ""), new Option(LEFT_OUT, LEFT_OUT));
    for (const use of usesOf(shape.length)) {
      const chosen = use.role === roles[key] && use.flipped === flipped.includes(use.role);
      const option = new Option(use.label, use.role, false, chosen);
      option.dataset.flipped = use.flipped ? "yes" : "";
      choice.append(option);
    }
    row.append(name, html("td", {}, shape.join(" × ")), html("td"));
    row.lastChild.append(choice);
    return row;
  });
  byId("net-names-rows").replaceChildren(...rows);
}

/** What the reader said: our name of each tensor, LEFT_OUT or null, and the transposed ones. */
function namesByHand() {
  const roles = {};
  const flipped = [];
  for (const choice of byId("net-names-rows").querySelectorAll("select")) {
    const [option] = choice.selectedOptions;
    roles[choice.getAttribute("aria-label")] = option.value || null;
    if (option.dataset.flipped) flipped.push(option.value);
  }
  return { roles, flipped };
}

/** Runs the network in which the tensors have these roles, or says why it cannot. */
function runOwn(roles, transposesOf, show) {
  try {
    const keys = keysOf(roles, data.intake);
    const asked = { k: byId("net-k").valueAsNumber, c: byId("net-c").valueAsNumber };
    const own = networkOf(opened.file, keys, transposesOf(keys), asked);
    show(own);
    const leftOut = Object.keys(roles).filter((key) => roles[key] === LEFT_OUT);
    byId("net-message").textContent =
      `${opened.name} is running now, with k = ${own.k} and c = ${own.c}` +
      (leftOut.length ? `, without ${listOf(leftOut)}` : "") +
      ". It stays on this machine, and is no part of the address.";
    return own;
  } catch (error) {
    byId("net-message").textContent = `${opened.name}: ${error.message}.`;
    return null;
  }
}

/** show: what is done with a network that was opened. */
function onNetworkOpened(show) {
  byId("net-file").addEventListener("change", async (event) => {
    const [chosen] = event.target.files;
    if (!chosen) return;
    byId("net-names").hidden = true;
    try {
      opened = { name: chosen.name, file: readSafetensors(await chosen.arrayBuffer()) };
    } catch (error) {
      byId("net-message").textContent = `${chosen.name}: ${error.message}.`;
      return;
    } finally {
      event.target.value = ""; // the same file, changed, may be opened again
    }
    const roles = guessedRoles(Object.keys(opened.file.tensors), data.intake);
    const likely = (keys) => likelyTransposes(keys, data.intake);
    const own = runOwn(roles, likely, show);
    // where the guess failed: as torch stores them
    const keys = Object.fromEntries(Object.entries(roles).map(([key, role]) => [role, key]));
    showNames(roles, own ? own.flipped : likely(keys)[0]);
    byId("net-names").hidden = !byId("net-names-rows").children.length;
    byId("net-names").open = !own;
  });
  byId("net-names-run").addEventListener("click", () => {
    if (!opened) return;
    const { roles, flipped } = namesByHand();
    runOwn(roles, () => [flipped], show);
  });
}
