// What the flow page asks the server: graphs, their versions, what moves on them.

import { request, withQuery } from "./api.js";

const SLOW_MS = 30_000;

const ask = (path, wish = {}, more = {}) => request(withQuery(`api/graph/${path}`, wish), more);

/** `place` is { project, ref }, everywhere here. */
export const getStatus = (place) => ask("status", place);
export const getProjects = () => ask("projects");
export const getRecord = (type, place) => ask(type, { ...place, format: "json" }, { ms: SLOW_MS });
export const getText = (type, place, format) => ask(type, { ...place, format }, { ms: SLOW_MS, text: true });
export const getSvg = (type, place) => request(withQuery(`graph/${type}`, place), { ms: SLOW_MS, text: true });
export const getVersions = (type, place) => ask(`${type}/versions`, { ...place, limit: 50 });
export const getDiff = (wish) => ask("diff", wish);
export const getAnalysis = (wish) => ask("analysis", wish, { ms: SLOW_MS });
export const getImpact = (wish) => ask("impact", wish, { ms: SLOW_MS });
export const getTraffic = (wish) => ask("traffic", wish);
export const getCausality = (id, source) => request(withQuery(`api/v1/events/${encodeURIComponent(id)}/causality`, { source }));
