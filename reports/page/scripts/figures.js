// The claims' figures: compressed in this file, and unpacked when their claim is opened.

/** The bytes behind a gzip stream in base64. */
async function unpacked(base64, type) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Blob([await new Response(stream).arrayBuffer()], { type });
}

/** A blob as a data URL: the page may show nothing else. */
function asDataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Shows the figures inside an element that are not shown yet. */
async function showFigures(host) {
  for (const image of host.querySelectorAll("img[data-packed]")) {
    const packed = image.dataset.packed;
    delete image.dataset.packed;
    image.src = await asDataUrl(await unpacked(packed, "image/svg+xml"));
  }
}

for (const details of document.querySelectorAll("#claims details")) {
  details.addEventListener("toggle", () => details.open && showFigures(details));
}
addEventListener("beforeprint", () => showFigures(document));
