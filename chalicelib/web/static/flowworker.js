// Lays graphs out, away from the page: Graphviz as WebAssembly. This file is served with
// a policy of its own, the only one here that lets WebAssembly run.

import { instance } from "./viz.js";

const ready = instance();

onmessage = async ({ data: { id, dot } }) => {
  try {
    postMessage({ id, svg: (await ready).renderString(dot, { format: "svg" }) });
  } catch (error) {
    postMessage({ id, fault: String(error?.message ?? error) });
  }
};
