// model.js: the data, and words for it.
const report = JSON.parse(document.getElementById("report").textContent);
const notes = JSON.parse(document.getElementById("notes").textContent);

// Worst first: what a reader came for stands on top.
const verdicts = ["error", "failed", "inconclusive", "notRun", "skipped", "deviation", "passed"];
const symbols = {passed: "✓", deviation: "≈", skipped: "–", notRun: "○", inconclusive: "?", failed: "✗", error: "!", success: "✓", partial: "–", failure: "✗"};
const wordFor = v => v === "notRun" ? "not run" : v;
const states = ["pending", "running", "ready", "available", "terminating", "dead"];
const [PENDING, RUNNING, READY, AVAILABLE, TERMINATING, DEAD] = [0, 1, 2, 3, 4, 5];

// The report's order is by name; the page's is by verdict, then by name.
const specs = (report.specs || []).map((spec, index) => ({...spec, index, violations: spec.violations || []}));
specs.sort((a, b) => verdicts.indexOf(a.verdict) - verdicts.indexOf(b.verdict) || a.index - b.index);
const behaviours = report.behaviours || [];
const statements = new Map(behaviours.map(b => [b.id, b.statement || ""]));

const byId = id => document.getElementById(id);

// make builds an element. Text is always set as text: nothing of a report is read as HTML.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(c => c != null && c !== false));
  return element;
}

const symbol = v => make("span", {class: "symbol " + v, "aria-label": wordFor(v), title: wordFor(v)}, symbols[v] || "");

// clock is an instant in UTC, to the millisecond.
const clock = (timeline, at) => new Date(Date.parse(timeline.began) + at).toISOString().slice(11, 23);

// span is a length of time in words.
function span(ms) {
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(ms < 10000 ? 2 : 1) + " s";
  return Math.floor(ms / 60000) + " min " + Math.round(ms % 60000 / 1000) + " s";
}

const count = (n, one, many) => n + " " + (n === 1 ? one : many || one + "s");

const loaded = new Map();

// timelineOf decodes the timeline of a spec: base64 of gzip of JSON. It resolves to null if there is none.
function timelineOf(spec) {
  if (!loaded.has(spec.index)) loaded.set(spec.index, decode(byId("timeline-" + spec.index)));
  return loaded.get(spec.index);
}

async function decode(element) {
  if (!element) return null;
  const bytes = Uint8Array.from(atob(element.textContent.trim()), c => c.charCodeAt(0));
  const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const t = JSON.parse(text);
  t.bars = t.bars.map(([pod, lane, track, revision, daemonSet, end, gone, flat]) => {
    const segments = [];
    for (let i = 0; i < flat.length; i += 2) segments.push({from: flat[i], state: flat[i + 1], to: i + 2 < flat.length ? flat[i + 2] : end});
    return {pod, lane, track, revision, daemonSet, end, gone, segments, from: flat[0]};
  });
  t.byLane = t.lanes.map(() => []);
  for (const bar of t.bars) t.byLane[bar.lane].push(bar);
  t.bands = t.bands || [];
  return t;
}
