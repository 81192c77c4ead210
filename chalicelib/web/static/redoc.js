// Starts ReDoc on our own document, in the colours of the pages.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ReDoc mixes colours itself and knows its own light look only.
const options = {
  hideDownloadButtons: true,
  nativeScrollbars: true,
  scrollYOffset: ".docs-bar",
  theme: {
    colors: { primary: { main: "#0f766e" } },
    typography: { fontFamily: token("--sans"), headings: { fontFamily: token("--sans") }, code: { fontFamily: token("--mono") } },
  },
};

Redoc.init("openapi.json", options, document.querySelector("#docs"));
