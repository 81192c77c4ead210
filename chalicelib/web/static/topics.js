// Topic patterns as the server reads them: `*` is one segment, `**` or `#` any
// number, and a lone `*` is everything.

const SEGMENT = /^[A-Za-z0-9_:/-]+$/;
const LONGEST = 256;

/** Split what stands in the topics field into patterns. */
export function splitTopics(text) {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** Say what is wrong with a pattern, or return null. */
export function patternFault(text) {
  if (text.length > LONGEST) return `A pattern has at most ${LONGEST} characters.`;
  const bad = text.split(".").find((part) => !isSegment(part));
  if (bad === undefined) return null;
  if (bad === "") return `“${text}” has an empty segment.`;
  if (/[*#]/.test(bad)) return `In “${text}” a wildcard must stand for a whole segment.`;
  return `“${bad}” may hold letters, digits and _ : / - only.`;
}

/** Return a function that tells whether a topic fits one of the patterns. */
export function topicMatcher(patterns) {
  if (!patterns.length) return () => true;
  const tests = patterns.map(compile);
  return (topic) => tests.some((test) => test(topic));
}

function isSegment(part) {
  return part === "*" || part === "**" || part === "#" || SEGMENT.test(part);
}

function compile(pattern) {
  if (pattern === "*") return () => true;
  const segments = pattern.split(".").map((part) => (part === "#" ? "**" : part));
  return (topic) => typeof topic === "string" && fits(segments, topic.split("."));
}

// Only the latest `**` is ever widened: an earlier one cannot do better.
function fits(segments, parts) {
  let at = 0;
  let part = 0;
  let resume = null;
  while (part < parts.length) {
    if (segments[at] === "**") resume = [++at, part];
    else if (segments[at] === "*" || segments[at] === parts[part]) [at, part] = [at + 1, part + 1];
    else if (resume) [at, part] = resume = [resume[0], resume[1] + 1];
    else return false;
  }
  return segments.slice(at).every((segment) => segment === "**");
}
