// draw.js: colours, the axis with the marks, and the budget line.
const revisionColours = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#a6761d", "#8da0cb"]; // Okabe and Ito's, and two more
const colourOf = revision => revision < 0 ? "#9aa4b1" : revisionColours[Math.min(revision, revisionColours.length - 1)];
let theme = {};

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["back", "panel", "line", "text", "soft", "violation", "over", "link"]) theme[name] = style.getPropertyValue("--" + name).trim();
}

// prepare sizes a canvas to its place and the screen's pixels, clears it, and returns its context and size.
function prepare(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.parentElement.clientWidth;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = height + "px";
    canvas.style.width = width + "px";
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = "12px system-ui, sans-serif";
  c.textBaseline = "middle";
  return {c, width, height};
}

const xOf = (at, width) => gutter + (at - view.from) / (view.to - view.from) * (width - gutter - 8);
const timeAt = (x, width) => view.from + (x - gutter) / (width - gutter - 8) * (view.to - view.from);

// steps are the round distances between two ticks, in milliseconds.
const tickSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000];

function ticks(width) {
  const wanted = (view.to - view.from) / ((width - gutter) / 110);
  const step = tickSteps.find(s => s >= wanted) || tickSteps[tickSteps.length - 1];
  const out = [];
  for (let at = Math.max(0, Math.ceil(view.from / step) * step); at <= view.to; at += step) out.push(at);
  return {step, out};
}

function tickText(at, step) {
  if (at >= 60000 || step >= 60000) return `+${Math.floor(at / 60000)}:${String((at % 60000 / 1000).toFixed(step < 1000 ? 1 : 0)).padStart(2, "0")}`;
  return "+" + (at / 1000).toFixed(step < 10 ? 3 : step < 100 ? 2 : step < 1000 ? 1 : 0) + " s";
}

const markStyle = {act: {dash: [], label: true}, spec: {dash: [5, 3], label: true}, gap: {dash: [2, 2], label: true}, barrier: {dash: [1, 4], label: false}};

// verticals draws what goes through all three canvases: ticks, marks, the instant that is shown.
function verticals(c, width, top, bottom) {
  const line = (at, colour, dash, thick = 1) => {
    const x = Math.round(xOf(at, width)) + 0.5;
    if (x < gutter || x > width) return;
    c.strokeStyle = colour; c.lineWidth = thick; c.setLineDash(dash);
    c.beginPath(); c.moveTo(x, top); c.lineTo(x, bottom); c.stroke();
    c.setLineDash([]);
  };
  for (const at of ticks(width).out) line(at, theme.line, []);
  for (const m of view.timeline.marks) {
    if (m.kind === "gap") { c.fillStyle = theme.violation; c.globalAlpha = 0.25; c.fillRect(xOf(m.at, width) - 3, top, 6, bottom - top); c.globalAlpha = 1; }
    line(m.at, m.kind === "gap" ? theme.violation : theme.soft, markStyle[m.kind].dash);
  }
  for (const f of view.timeline.findings) line(f.at, theme.violation, [2, 3]);
  if (view.instant != null) line(view.instant, theme.violation, [], 2);
}

function drawAxis() {
  const {c, width, height} = prepare(byId("axis"), 58);
  const {step, out} = ticks(width);
  verticals(c, width, 18, height);
  c.fillStyle = theme.soft;
  for (const at of out) { const text = tickText(at, step), x = xOf(at, width); if (x > gutter - 4 && x + 40 < width) c.fillText(text, x + 3, 50); }
  c.fillText(clock(view.timeline, 0).slice(0, 8) + " UTC", 4, 50);
  // Labels of marks stand in two rows and give way to each other from the left; whoever finds no place is met by pointing at its line.
  const ends = [gutter, gutter];
  for (const m of view.timeline.marks) {
    const x = xOf(m.at, width);
    if (x < gutter || x > width) continue;
    c.fillStyle = m.kind === "gap" ? theme.violation : theme.text;
    c.beginPath(); c.moveTo(x - 4, 32); c.lineTo(x + 4, 32); c.lineTo(x, 38); c.fill();
    if (!markStyle[m.kind].label) continue;
    const text = clip(c, m.text, 460), long = c.measureText(text).width, row = ends.findIndex(end => end <= x - 2);
    if (row < 0) continue;
    const left = Math.min(x + 4, width - long - 4);
    if (left < ends[row]) continue;
    c.fillText(text, left, row === 0 ? 9 : 24);
    ends[row] = left + long + 14;
  }
  for (const f of view.timeline.findings) if (f.at >= view.from) diamond(c, xOf(f.at, width), 50, f === view.finding ? 6 : 4);
}

function clip(c, text, most) {
  if (c.measureText(text).width <= most) return text;
  while (text.length > 1 && c.measureText(text + "…").width > most) text = text.slice(0, -1);
  return text + "…";
}

function diamond(c, x, y, size) {
  c.fillStyle = theme.violation;
  c.strokeStyle = theme.back; c.lineWidth = 1.5; c.setLineDash([]);
  c.beginPath(); c.moveTo(x, y - size); c.lineTo(x + size, y); c.lineTo(x, y + size); c.lineTo(x - size, y); c.closePath(); c.stroke(); c.fill();
}

// stepAt is the index of the step of a budget line that holds at an instant, -1 before the first.
function stepAt(steps, at) {
  let low = 0, high = steps.length;
  while (low < high) { const middle = (low + high) >> 1; if (steps[middle][0] <= at) low = middle + 1; else high = middle; }
  return low - 1;
}

// pixelRuns gives each column of pixels the worst of the steps that fall on it, and joins columns that show the same step.
function pixelRuns(steps, first, last, width) {
  const runs = [];
  for (let i = first; i <= last; i++) {
    const step = steps[i], next = i + 1 < steps.length ? steps[i + 1][0] : view.timeline.length, before = runs[runs.length - 1];
    const from = Math.max(Math.floor(xOf(step[0], width)), gutter), to = Math.min(Math.max(Math.floor(xOf(next, width)), from + 1), width);
    if (from >= to) continue;
    if (!before || before.to <= from) runs.push({from, to, step});
    else { // they share the column before before.to
      if (step[1] - step[2] > before.step[1] - before.step[2]) {
        if (before.to - before.from > 1) { before.to--; runs.push({from, to: from + 1, step}); } else before.step = step;
      }
      if (to > from + 1) runs.push({from: from + 1, to, step});
    }
  }
  return runs;
}

function drawBudget() {
  const {c, width, height} = prepare(byId("budget"), 96);
  verticals(c, width, 0, height);
  const line = view.timeline.budgets[view.daemonSet];
  c.fillStyle = theme.soft;
  if (!line || !line.steps.length) return c.fillText("no DaemonSet was recorded", gutter + 8, height / 2);
  const top = 10, bottom = height - 6;
  let most = 2;
  const first = Math.max(0, stepAt(line.steps, view.from)), last = stepAt(line.steps, view.to);
  for (let i = first; i <= last; i++) most = Math.max(most, line.steps[i][1] + 0.5, line.steps[i][2] + 0.5);
  const y = n => bottom - n / most * (bottom - top);
  c.save();
  c.beginPath(); c.rect(gutter, 0, width - gutter, height); c.clip();
  for (const run of pixelRuns(line.steps, first, last, width)) {
    const [, unavailable, allowed] = run.step, wide = run.to - run.from;
    const within = allowed < 0 ? unavailable : Math.min(unavailable, allowed);
    c.fillStyle = theme.soft; c.globalAlpha = 0.45;
    c.fillRect(run.from, y(within), wide, y(0) - y(within));
    c.globalAlpha = 1;
    if (unavailable > within) {
      const peak = Math.min(y(unavailable), y(within) - 5); // one node of 5,000 too many is to be seen, too
      c.fillStyle = hatch(theme.over); c.fillRect(run.from, peak, wide, y(within) - peak);
      c.fillStyle = theme.over; c.fillRect(run.from, peak, wide, 2);
    }
    if (allowed >= 0) { c.fillStyle = theme.text; c.fillRect(run.from, y(allowed) - 1, wide, 2); }
  }
  c.restore();
  c.fillStyle = theme.soft;
  c.fillText("nodes without an", 4, top + 4);
  c.fillText("available pod", 4, top + 19);
  let now = view.instant == null ? null : line.steps[stepAt(line.steps, view.instant)], prefix = "";
  if (!now) { // without an instant, the worst of what can be seen
    prefix = "up to ";
    now = line.steps[first];
    for (let i = first; i <= last; i++) if (line.steps[i][1] > now[1]) now = line.steps[i];
  }
  if (now) {
    c.fillStyle = theme.text;
    c.fillText(`${prefix}${now[1]} of ${now[3]}`, 4, top + 42);
    c.fillText(now[2] < 0 ? "no limit" : `${now[2]} allowed ━`, 4, top + 58);
  }
  c.strokeStyle = theme.line; c.setLineDash([]); c.lineWidth = 1;
  c.beginPath(); c.moveTo(gutter, bottom + 0.5); c.lineTo(width, bottom + 0.5); c.stroke();
}

const hatches = new Map();

// hatch is a fill of diagonal lines: what ends, or is too much, is told by more than its colour.
function hatch(colour) {
  const ratio = window.devicePixelRatio || 1, key = colour + ratio + theme.back;
  if (!hatches.has(key)) {
    const tile = make("canvas", {width: 6, height: 6}), c = tile.getContext("2d");
    c.fillStyle = colour; c.globalAlpha = 0.25; c.fillRect(0, 0, 6, 6);
    c.globalAlpha = 1; c.strokeStyle = colour; c.lineWidth = 1.6;
    for (const d of [-6, 0, 6]) { c.beginPath(); c.moveTo(d - 1, 7); c.lineTo(d + 7, -1); c.stroke(); }
    hatches.set(key, c.createPattern(tile, "repeat"));
  }
  return hatches.get(key);
}

function drawAll() {
  readTheme();
  drawAxis();
  drawLanes();
  drawBudget();
}
