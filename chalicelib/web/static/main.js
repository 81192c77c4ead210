// Every page: which one the address names, and what all of them share.

import { html, render, useEffect, useMemo, useReducer, useState } from "./preact-htm.js";
import { getConfig, getStats, givenUp } from "./api.js";
import { ROOT, goTo, readPlace, usePlace, usePoll } from "./hooks.js";
import { PAGES, Shell } from "./shell.js";
import { Source } from "./source.js";
import { EmptyState, ErrorPanel, Guard, Skeleton } from "./ui.js";

function App() {
  const place = usePlace();
  const config = usePoll(getConfig, 60_000);
  const stats = usePoll(getStats, 5_000);
  const [, redraw] = useReducer((count) => count + 1, 0);
  const source = useMemo(() => new Source(redraw), []);
  const { Page, error, again } = usePage(place.page);
  useEffect(() => void (document.title = `${PAGES.find(({ path }) => path === place.page)?.name ?? "Not found"} · Eventyard`), [place.page]);
  return html`<${Shell} current=${place.page} live=${source.told ?? source.status} config=${config.data} dead=${givenUp(stats.data)}>
    ${error && html`<main id="main" class="main" tabindex="-1"><${ErrorPanel} title="This page could not be loaded" error=${error} onRetry=${again} /></main>`}
    ${!Page && !error && html`<main id="main" class="main" tabindex="-1"><${Skeleton} /></main>`}
    ${Page && html`<${Guard} key=${place.page}><${Page} place=${place} source=${source} config=${config.data} stats=${stats} /><//>`}
  <//>`;
}

// A page is loaded when it is first gone to; the one before stays until then.
function usePage(path) {
  const [state, setState] = useState({ path: null });
  const [round, again] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    let current = true;
    const take = (change) => current && setState({ path, ...change });
    load(path).then((Page) => take({ Page }), (error) => take({ error: { code: "not_loaded", message: error.message, details: {} } }));
    return () => (current = false);
  }, [path, round]);
  return state.path === path ? { ...state, again } : { again };
}

async function load(path) {
  const page = PAGES.find((one) => one.path === path && one.load);
  return page ? (await page.load()).default : Nowhere;
}

const Nowhere = () => html`<main id="main" class="main" tabindex="-1">
  <${EmptyState} title="There is nothing at this address."><p><a href=${ROOT}>Go to the overview</a></p><//>
</main>`;

// Links to our own pages need no new document; the browser keeps its own ways otherwise.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.target || link.hash || !link.pathname.startsWith(ROOT)) return;
  const { page } = readPlace(link.pathname.slice(ROOT.length));
  if (!PAGES.some(({ path, load: ours }) => ours && path === page)) return;
  event.preventDefault();
  goTo(link.pathname + link.search);
});

// The document's links are relative to where it was opened; browsers ask for the icon
// again wherever one goes from there.
const icon = document.querySelector("link[rel=icon]");
icon.href = new URL(icon.href).href;

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
