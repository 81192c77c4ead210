// What the pages of circles know, and how they are kept fresh: asked for now and then, and
// soon after the live connection told of a change.

import { useEffect, useReducer, useRef } from "./preact-htm.js";
import { getCircle, getCircleTasks, getConflicts, getMembers } from "./api.js";
import { useLatest, usePoll, useSoon } from "./hooks.js";
import { SOURCE } from "./circlemodel.js";

const SOON_MS = 250;
const POLL_MS = 30_000;
const PAGE = 200;
const MOST_PAGES = 5;
const FRESH_MS = 1_500;

/** Call `act(events)` when something of circles happens; returns how often that was. */
export function useNews(source, config, act) {
  const [changes, changed] = useReducer((count) => count + 1, 0);
  const latest = useLatest(act);
  useEffect(() => {
    source.follow((events) => {
      const ours = events.filter((event) => event.source === SOURCE);
      if (ours.length && latest.current(ours) !== false) changed();
    });
    return () => source.rest();
  }, []);
  useEffect(() => void (config && source.connect(config)), [Boolean(config)]);
  return changes;
}

/** One circle whole: { data: { circle, tasks, more, members, conflicts }, error, refresh, isFresh }. */
export function useCircle(id, source, config) {
  const poll = usePoll(() => readCircle(id), POLL_MS);
  const arrived = useRef(new Map());
  const number = poll.data?.circle.id ?? Number(id);
  const changes = useNews(source, config, (events) => {
    const ours = events.filter(({ attributes }) => attributes?.circle_id === number);
    for (const { payload } of ours) if (payload?.task_id) arrived.current.set(payload.task_id, Date.now());
    return ours.length > 0;
  });
  useSoon(changes, poll.refresh, SOON_MS);
  return { ...poll, isFresh: ({ id: task }) => Date.now() - (arrived.current.get(task) ?? 0) < FRESH_MS };
}

async function readCircle(id) {
  const circle = await getCircle(id); // Without it there is nothing else to ask for.
  const [open, ended, { members }, { conflicts }] = await Promise.all([
    everyOpen(id),
    getCircleTasks(id, { order: "ended", limit: PAGE }),
    getMembers(id),
    getConflicts(id, { status: "open", limit: PAGE }),
  ]);
  return { circle, tasks: [...open, ...ended.tasks], more: Boolean(ended.cursor), members, conflicts };
}

async function everyOpen(id) {
  let [found, cursor] = [[], null];
  for (let page = 0; page < MOST_PAGES && (cursor || !page); page += 1) {
    const told = await getCircleTasks(id, { state: "open", limit: PAGE, cursor });
    found = found.concat(told.tasks);
    cursor = told.cursor;
  }
  return found;
}
