// What the flow page shows: the graph as it was pushed, drawn; what moves on it.

import { useEffect, useMemo, useRef, useState } from "./preact-htm.js";
import { getDiff, getRecord, getStatus, getSvg, getTraffic } from "./flowapi.js";
import { cleanSvg, layOut, turned } from "./flowlayout.js";
import { Flow, agentKey, edgeKey, eventKey, keysOf, loose, withRemoved } from "./flowmodel.js";
import { Picture } from "./flowpicture.js";
import { useAsk, useLatest, useMedia, usePoll } from "./hooks.js";

const STATUS_MS = 5_000;
const TRAFFIC_MS = 3_000;
const MOST_PENDING = 1_000;

export const placeOf = ({ project, ref, version }) => ({ project, ref, version });

/**
 * The graph that the address asks for: { status, record, diff, flow, picture, note,
 * error, loading, retry }. What was drawn before stays until the next is ready.
 */
export function useGraph(wish) {
  const scope = `${wish.project ?? ""}\n${wish.ref ?? ""}`;
  const poll = usePoll(async () => ({ scope, ...(await getStatus({ project: wish.project, ref: wish.ref })) }), STATUS_MS);
  const asked = useRef(scope);
  useEffect(() => {
    if (asked.current !== scope) poll.refresh();
    asked.current = scope;
  }, [scope]);
  const status = poll.data?.scope === scope ? poll.data : null;
  const known = status?.graphs?.[wish.type];
  const stamp = wish.version ?? known?.etag ?? known?.version ?? known?.timestamp ?? "";
  const key = `${scope}\n${wish.type}\n${known ? stamp : "none"}`;
  const record = useAsk(() => (known ? getRecord(wish.type, placeOf(wish)) : Promise.resolve(null)), key);
  const diff = useAsk(() => (known && wish.base ? getDiff(comparison(wish)) : Promise.resolve(null)), `${key}\n${wish.base ?? ""}`);
  const drawn = useDrawn(record.data, wish.base ? diff.data : null, Boolean(wish.base) && !diff.error, wish, `${scope}\n${wish.type}\n${wish.base ?? ""}`);
  const error = (status ? null : poll.error) ?? record.error ?? diff.error ?? drawn.error;
  const retry = () => (poll.refresh(), record.retry(), diff.retry());
  return { status, record: record.data ?? drawn.record, diff: diff.data, missing: Boolean(status && !known), ...drawn, error, retry };
}

function comparison({ type, project, ref, version, base }) {
  const at = base.lastIndexOf("@");
  const [baseRef, baseVersion] = at < 0 ? [undefined, base] : [base.slice(0, at), base.slice(at + 1)];
  return { type, project, ref, base: baseVersion, head: version, base_ref: baseRef };
}

function useDrawn(record, diff, waits, wish, same) {
  const [drawn, setDrawn] = useState({ picture: null });
  useEffect(() => {
    if (!record || (waits && !diff)) return undefined;
    let current = true;
    const take = (change) => current && setDrawn((before) => ({ ...before, error: null, found: null, ...change, same }));
    draw(record, diff, wish).then(
      (made) => {
        made.picture.keep = drawn.same === same;
        take({ ...made, record });
      },
      (error) => take({ error: { code: "not_drawn", message: error.message, details: {} } }),
    );
    return () => (current = false);
  }, [record, diff, waits]);
  const fits = drawn.same?.startsWith(same.split("\n").slice(0, 3).join("\n"));
  return fits ? drawn : { picture: null, flow: null, error: drawn.same === same ? drawn.error : null };
}

async function draw(record, diff, wish) {
  const flow = new Flow(record.model);
  try {
    const picture = new Picture(cleanSvg(await layOut(turned(record.dot_content, flow.nodes.size))), flow);
    return diff ? await compared(record, diff, flow, picture) : { flow, picture, note: "" };
  } catch (error) {
    // Small devices may lack the memory or the time: the server draws as well.
    const picture = new Picture(cleanSvg(await getSvg(wish.type, placeOf(wish)).catch(() => Promise.reject(error))), flow);
    return { flow, picture, note: `Drawn by the server: ${error.message}` };
  }
}

async function compared(record, diff, flow, before) {
  for (const [list, field, keyOf, kind] of [["events", "name", eventKey, "event"], ["agents", "id", agentKey, "agent"]]) {
    for (const one of diff.removed?.[list] ?? []) {
      const name = one[field] ?? one;
      if (!flow.nodes.has(keyOf(name))) flow.put({ namespace: "unknown", [field]: name, ...(one[field] ? one : {}), name: one.label || name, key: keyOf(name), kind, gone: true });
    }
  }
  for (const edge of diff.removed?.edges ?? []) if (!flow.edges.has(edgeKey(edge))) flow.join({ count: 1, sites: [], ...edge, gone: true });
  const dot = withRemoved(record.dot_content, diff, (key) => before.names.get(key) ?? key);
  const picture = new Picture(cleanSvg(await layOut(turned(dot, flow.nodes.size))), flow);
  return { flow, picture, note: "", found: keysOf(diff) };
}

/** What moved in a window of time, by the key of the edge: { edges, data, error, refresh }. */
export function useTraffic(wish, flow) {
  const on = wish.live !== "off";
  const key = [wish.live, wish.project, wish.ref].join("\n");
  const poll = usePoll(async () => ({ key, told: await getTraffic({ window: wish.live, project: wish.project, ref: wish.ref }) }), TRAFFIC_MS, on && Boolean(flow));
  const asked = useRef(key);
  useEffect(() => {
    if (asked.current !== key && on && flow) poll.refresh();
    asked.current = key;
  }, [key]);
  const data = on && poll.data?.key === key ? poll.data.told : null;
  const edges = useMemo(() => byKey(data?.edges), [data]);
  return { edges, data, error: on ? poll.error : null, refresh: poll.refresh };
}

function byKey(edges) {
  if (!edges) return null;
  const ends = ({ agent, event, kind }) => (kind === "publishes" ? [agentKey(agent), eventKey(event)] : [eventKey(event), agentKey(agent)]);
  return new Map(edges.map((edge) => [edgeKey(edge), { ...edge, ends: ends(edge) }]));
}

/** Let edges light up as events arrive; returns the live names seen, by their loose ones. */
export function usePulses(source, config, on, flow, picture) {
  const names = useRef(new Map());
  const calm = useMedia("(prefers-reduced-motion: reduce)");
  const latest = useLatest({ flow, picture, calm });
  useEffect(() => {
    if (!on) return void source.rest();
    const pending = new Map();
    let frame = null;
    const show = () => {
      frame = null;
      const now = latest.current;
      const edges = [...pending.values()].flatMap(({ type, source: from }) => now.flow?.moved(type, from) ?? []);
      pending.clear();
      if (!now.calm) now.picture?.pulse(new Set(edges.map((edge) => edge.key)));
    };
    source.follow((events) => {
      for (const event of events) {
        if (names.current.size < MOST_PENDING) names.current.set(loose(event.type), event.type);
        if (pending.size < MOST_PENDING) pending.set(`${event.type}\n${event.source}`, event);
      }
      frame ??= requestAnimationFrame(show);
    });
    return () => (cancelAnimationFrame(frame), source.rest());
  }, [on]);
  useEffect(() => void (config && source.connect(config)), [Boolean(config)]);
  return names.current;
}
