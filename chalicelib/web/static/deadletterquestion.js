// Asks before dead letters are sent again or thrown away, and does it in rounds.

import { html, useState } from "./preact-htm.js";
import { purgeDeadLetters, retryDeadLetters } from "./api.js";
import { Confirm, ErrorPanel, formatCount, plural, toast } from "./ui.js";

const MOST_ROUNDS = 200;

const VERBS = {
  retry: { title: "Retry", call: retryDeadLetters, field: "retried", done: "on the way again" },
  purge: { title: "Purge", call: purgeDeadLetters, field: "purged", done: "purged" },
};

/** Asks once, naming the number, and then does all of it. */
export function Question({ verb, number, scope, whose, onClose, onDone }) {
  const { title, call, field, done } = VERBS[verb];
  const [state, setState] = useState({ busy: false, count: 0, error: null });
  const act = async () => {
    setState({ busy: true, count: 0, error: null });
    try {
      const { count, failed } = await untilDone(call, scope, field, (so) => setState({ busy: true, count: so, error: null }));
      toast(`${plural(count, "dead letter")} ${done}${failed.length ? `, ${formatCount(failed.length)} stayed: ${failed[0].reason}` : ""}`, failed.length ? "warning" : "ok");
      onDone();
    } catch (error) {
      setState({ busy: false, count: 0, error });
    }
  };
  return html`<${Confirm} title="${title} ${number}?" destroys=${verb === "purge"} action=${state.busy ? `${title} … ${formatCount(state.count)}` : `${title} ${number}`} onConfirm=${state.busy ? null : act} onClose=${onClose}>
    ${verb === "retry"
      ? html`<p>${number}${whose && html` of <strong>${whose}</strong>`} will be delivered again, as if never tried. What fails again comes back here.</p>`
      : html`<p>${number}${whose && html` of <strong>${whose}</strong>`} will be thrown away for good. The events stay in the log, and each one's trace keeps what happened; a replay can still deliver them.</p>`}
    ${state.error && html`<${ErrorPanel} error=${state.error} />`}
  <//>`;
}

// The server does up to 500 a call. What cannot be done would come again: then it ends.
async function untilDone(call, scope, field, onProgress) {
  let count = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const answer = await call(scope);
    count += answer[field];
    onProgress(count);
    if (!answer.more || !answer[field]) return { count, failed: answer.failed };
  }
  return { count, failed: [] };
}
