// Field filters, `field:op:value`, with the server's meaning: the socket knows topics
// only, so live events are filtered here and the log's by the server.

import { patternFault, topicMatcher } from "./topics.js";

const MISSING = Symbol("missing");
const DATED = /^\d{4}-\d\d-\d\d/;
const MOST_SEARCHED = 10_000;

const OPERATORS = {
  eq: (text) => same(read(text)),
  ne: (text) => not(same(read(text))),
  gt: (text) => ordering(read(text), (a, b) => a > b),
  gte: (text) => ordering(read(text), (a, b) => a >= b),
  lt: (text) => ordering(read(text), (a, b) => a < b),
  lte: (text) => ordering(read(text), (a, b) => a <= b),
  in: (text) => member(text),
  nin: (text) => not(member(text)),
  exists: (text) => exists(read(text)),
  contains: (text) => contains(read(text)),
  regex: (text) => regex(text),
};

export const OPERATOR_NAMES = Object.keys(OPERATORS);

/** Say what is wrong with a filter, or return null. */
export function filterFault(item) {
  try {
    parse(item);
    return null;
  } catch (error) {
    return error.message;
  }
}

/** Return a function that tells whether an event passes all the filters. */
export function filterMatcher(items) {
  const tests = items.filter((item) => !filterFault(item)).map(parse);
  if (!tests.length) return () => true;
  return (event) => {
    const view = viewOf(event);
    return tests.every((test) => test(view));
  };
}

function parse(item) {
  const [, field, op, text] = /^([^:]+):(?:([^:]*):)?([^]*)$/.exec(item) ?? [];
  if (!field || field.startsWith("$")) {
    throw new Error("A filter is field:operator:value, as in priority:gte:7 or payload.total:gt:50.");
  }
  return at(field, op === undefined ? shortForm(field, text) : operator(op, text));
}

function shortForm(field, text) {
  if (field !== "type") return same(read(text));
  const fault = patternFault(text);
  if (fault) throw new Error(fault);
  return topicMatcher([text]);
}

function operator(name, text) {
  if (!Object.hasOwn(OPERATORS, name)) {
    throw new Error(`There is no operator “${name}”; there are ${OPERATOR_NAMES.join(", ")}.`);
  }
  return OPERATORS[name](text);
}

function viewOf(event) {
  const view = { attempts: 0, max_attempts: 3, ...event.attributes, ...event, data: event.payload };
  if (view.source === null) delete view.source;
  return view;
}

function at(field, test) {
  const steps = field.split(".");
  return (view) => test(steps.reduce(step, view));
}

function step(value, name) {
  const known = value !== null && typeof value === "object" && Object.hasOwn(value, name);
  return known && !(Array.isArray(value) && name === "length") ? value[name] : MISSING;
}

// Numbers, true, false, null and "quoted" mean what they mean in JSON.
function read(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? text : value;
  } catch {
    return text;
  }
}

function not(test) {
  return (value) => !test(value);
}

function same(operand) {
  return (value) => value === operand;
}

function member(text) {
  const values = new Set(text.split(",").map(read));
  return (value) => values.has(value);
}

function exists(operand) {
  if (typeof operand !== "boolean") throw new Error("exists takes true or false.");
  return (value) => (value !== MISSING) === operand;
}

function contains(operand) {
  return (value) => {
    if (typeof value === "string") return typeof operand === "string" && value.includes(operand);
    return Array.isArray(value) && value.includes(operand);
  };
}

function regex(text) {
  let pattern;
  try {
    pattern = new RegExp(text);
  } catch {
    throw new Error(`“${text}” is no regular expression.`);
  }
  return (value) => typeof value === "string" && value.length <= MOST_SEARCHED && pattern.test(value);
}

function ordering(operand, holds) {
  const kind = typeof operand;
  if (kind !== "number" && kind !== "string") throw new Error("gt, gte, lt and lte take a number or a text.");
  const moment = asMoment(operand);
  if (moment !== null) return (value) => asMoment(value) !== null && holds(asMoment(value), moment);
  return (value) => typeof value === kind && holds(value, operand);
}

function asMoment(value) {
  if (typeof value !== "string" || !DATED.test(value)) return null;
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? null : moment;
}
