// What circles and tasks are to the page: their words, their columns, and what may
// become of a task. No DOM here.

/** Each status of a circle: its badge and its name. */
export const RUNS = { stopped: ["quiet", "Stopped"], starting: ["running", "Starting"], running: ["ok", "Running"], stopping: ["warning", "Stopping"] };

/** Each status of a task, likewise. */
export const STATUSES = {
  pending: ["quiet", "Pending"],
  claimed: ["running", "Claimed"],
  in_progress: ["running", "In progress"],
  review: ["warning", "In review"],
  changes_requested: ["warning", "Changes requested"],
  blocked: ["failed", "Blocked"],
  completed: ["ok", "Completed"],
  cancelled: ["quiet", "Cancelled"],
  failed: ["failed", "Failed"],
};

/** The columns of the board: id, name, the statuses that stand in it; the first is what a card becomes that is moved there. */
export const COLUMNS = [
  { id: "pending", name: "Pending", statuses: ["pending"] },
  { id: "claimed", name: "Claimed", statuses: ["claimed"] },
  { id: "working", name: "In progress", statuses: ["in_progress", "changes_requested"] },
  { id: "review", name: "In review", statuses: ["review"] },
  { id: "blocked", name: "Blocked", statuses: ["blocked"] },
  { id: "done", name: "Done", statuses: ["completed", "cancelled", "failed"] },
];

/** What may follow each status; the server holds to the same. */
export const ALLOWED = {
  pending: ["pending", "claimed", "in_progress", "blocked", "cancelled", "failed"],
  claimed: ["pending", "in_progress", "review", "completed", "blocked", "cancelled", "failed"],
  in_progress: ["in_progress", "pending", "review", "completed", "blocked", "cancelled", "failed"],
  review: ["review", "completed", "changes_requested", "blocked", "cancelled", "failed"],
  changes_requested: ["changes_requested", "pending", "in_progress", "review", "blocked", "cancelled", "failed"],
  blocked: ["blocked", "pending", "in_progress", "cancelled", "failed"],
  completed: [],
  cancelled: [],
  failed: [],
};

/** Each priority: its badge, its name, and a sign that tells it without colour. */
export const PRIORITIES = {
  critical: ["failed", "Critical", "▲▲"],
  high: ["warning", "High", "▲"],
  medium: ["quiet", "Medium", "■"],
  low: ["quiet", "Low", "▼"],
};

export const ROLES = ["member", "lead", "specialist", "reviewer", "observer"];
export const SOURCE = "eventyard.circles";

export const wordOf = (status) => STATUSES[status]?.[1] ?? String(status);
export const mayBecome = (task, status) => (ALLOWED[task.status] ?? []).includes(status) && status !== task.status;
export const isOver = ({ status }) => ALLOWED[status]?.length === 0;

/** What is typed for an agent's id: a number where it is one. */
export const agentIn = (text) => (/^(0|-?[1-9]\d{0,14})$/.test(text.trim()) ? Number(text.trim()) : text.trim());

/** The words between commas. */
export const wordsIn = (text) => [...new Set(text.split(",").map((word) => word.trim()).filter(Boolean))];

/** What an agent is called among members. */
export const nameOf = (members, id) => members.find(({ agent_id: one }) => String(one) === String(id))?.agent_name ?? String(id);

/** Tasks of a column: what is done by when it ended, the rest as the server lists it. */
export function inColumn(tasks, { id, statuses }) {
  const found = tasks.filter(({ status }) => statuses.includes(status));
  return id === "done" ? found.sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at)) : found;
}

/** Members who may do a task, those who can most of it first. */
export function ableFor(members, { required_competencies: wanted }) {
  const shared = (one) => wanted.filter((word) => one.competencies.includes(word)).length;
  return members.filter(({ role }) => role !== "observer").sort((a, b) => shared(b) - shared(a));
}

/** Members who may review it: nobody their own. */
export function reviewersOf(members, { assigned_agent_id: author }) {
  const others = members.filter(({ agent_id: id }) => String(id) !== String(author));
  const named = others.filter(({ can_review: may, role }) => may || role === "reviewer");
  return named.length ? named : others;
}
