// Memories as the page knows them: where they are asked for, and what they are called.

import { request, withQuery } from "./api.js";

const BASE = "api/v1/memories";
const PAGE = 50;
const RESULTS = 50;
const MAKING_MS = 35_000;
/** How near what is found is at least: vectors that are made here are far apart. */
export const NEAR = 0.2;
export const NEW = "new";
export const KNOWLEDGE = "knowledge";
/** What leaves the address when a drawer closes. */
export const CLOSED = {};

export const TYPES = {
  fact: "Fact", preference: "Preference", context: "Context", decision: "Decision", error: "Error", feedback: "Feedback", learning: "Learning",
};
export const SCOPES = { agent: "The agent alone", circle: "A circle", project: "A project", global: "Everybody" };

const one = (id, family = "") => `${BASE}${family}/${encodeURIComponent(id)}`;
export const isKnowledge = (id) => id.startsWith("kn_");

export const getSpaces = () => request(`${BASE}/spaces`);
export const getMemory = async (id) => (isKnowledge(id) ? (await request(one(id, "/knowledge"))).knowledge : (await request(one(id))).memory);
export const forget = (id) => request(one(id, isKnowledge(id) ? "/knowledge" : ""), { method: "DELETE" });
export const remember = async (wish) => (await request(BASE, { method: "POST", body: wish, ms: MAKING_MS })).memory;
export const addKnowledge = async (wish) => (await request(`${BASE}/knowledge`, { method: "POST", body: wish, ms: MAKING_MS })).knowledge;

/** A page of what `wish` asks for: { rows, cursor }. */
export async function getPage({ view, agent, question, type, tag }, cursor) {
  if (view === KNOWLEDGE) return question ? searched(question, tag) : listed("/knowledge", KNOWLEDGE, { tag, cursor });
  if (!agent) return { rows: agentsIn(await getSpaces()), cursor: null };
  if (!question) return listed("", "memories", { agent, memory_type: type, tag, cursor });
  const found = await request(withQuery(`${BASE}/recall`, { agent, query: question, memory_type: type, tag, limit: RESULTS, threshold: NEAR }), { ms: MAKING_MS });
  return { rows: found.results, cursor: null, skipped: found.skipped };
}

async function listed(path, name, wish) {
  const page = await request(withQuery(BASE + path, { limit: PAGE, ...wish }));
  return { rows: page[name], cursor: page.cursor };
}

async function searched(question, tag) {
  const wish = { query: question, limit: RESULTS, threshold: NEAR, tags: tag ? [tag] : [] };
  return { rows: (await request(`${BASE}/knowledge/search`, { method: "POST", body: wish, ms: MAKING_MS })).results, cursor: null };
}

const OWN = "agent:";
const agentsIn = ({ spaces }) => spaces.filter(({ space }) => space.startsWith(OWN)).map((space) => ({ ...space, id: space.space, agent: space.space.slice(OWN.length) }));

/** What the address asks for. */
export function wished({ view, agent, q, type, tag }) {
  const of = (value) => value?.[0]?.trim() || null;
  return { view: of(view) === KNOWLEDGE ? KNOWLEDGE : null, agent: of(agent), question: of(q), type: Object.hasOwn(TYPES, of(type) ?? "") ? of(type) : null, tag: of(tag) };
}

/** Where a memory is shared, in words. */
export const whereOf = ({ scope, scope_id: id }) => ({ circle: `Circle ${id}`, project: `Project ${id}`, global: "Everybody" })[scope] ?? "Own";
export const percentOf = (similarity) => `${Math.round(similarity * 100)} %`;
