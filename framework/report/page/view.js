// view.js: which part of a timeline is to be seen: a window of time, and some of the lanes.
const view = {timeline: null, spec: null, from: 0, to: 1, lanes: [], bands: false, scope: "", daemonSet: 0, instant: null, finding: null, rows: [], height: 0};
const gutter = 132, trackHeight = 15, lanePadding = 5, bandHeight = 7;
const shortestWindow = 20; // milliseconds

function openView(timeline, spec) {
  Object.assign(view, {timeline, spec, instant: null, finding: null, daemonSet: 0});
  byId("which").hidden = timeline.budgets.length < 2;
  byId("daemonset").replaceChildren(...timeline.budgets.map((b, i) => make("option", {value: i}, timeline.daemonSets[b.daemonSet])));
  byId("note").hidden = !timeline.note;
  byId("note").textContent = timeline.note || "";
  fit();
  showAllLanes();
  drawLegend();
}

const shortest = () => Math.min(shortestWindow, view.timeline.length || 1);

// fit shows the whole time, with a margin so that nothing sits on the edge.
function fit() {
  const margin = Math.max(view.timeline.length * 0.015, 10);
  setWindow(-margin, view.timeline.length + margin);
}

function setWindow(from, to) {
  const whole = view.timeline.length, margin = Math.max(whole * 0.015, 10);
  let width = Math.min(Math.max(to - from, shortest()), whole + 2 * margin);
  const middle = (from + to) / 2;
  from = Math.min(Math.max(middle - width / 2, -margin), whole + margin - width);
  view.from = from;
  view.to = from + width;
  redraw();
}

const zoom = (factor, around = (view.from + view.to) / 2) => setWindow(around - (around - view.from) * factor, around + (view.to - around) * factor);
const pan = part => { const by = part * (view.to - view.from); setWindow(view.from + by, view.to + by); };

function showAllLanes() {
  const t = view.timeline;
  view.bands = t.bands.length > 0;
  setLanes(t.lanes.map((_, i) => i), view.bands ? `${count(t.lanes.length, "node")} in ${count(t.bands.length, "band")}: click a band to see its nodes` : count(t.lanes.length, "node"));
}

function showBand(band) {
  const lanes = [];
  for (let i = band.first; i <= band.last; i++) lanes.push(i);
  view.bands = false;
  setLanes(lanes, `${view.timeline.lanes[band.first].node} … ${view.timeline.lanes[band.last].node}`);
}

// setLanes lays out the rows. Their heights differ, since a lane has as many tracks as it had pods at once.
function setLanes(lanes, scope) {
  view.lanes = lanes;
  view.scope = scope;
  view.rows = [];
  let y = 0;
  if (view.bands) {
    for (const band of view.timeline.bands) {
      view.rows.push({y, height: bandHeight, band});
      y += bandHeight;
    }
  } else {
    for (const lane of lanes) {
      const height = view.timeline.lanes[lane].tracks * trackHeight + lanePadding;
      view.rows.push({y, height, lane});
      y += height;
    }
  }
  view.height = y;
  byId("spacer").style.height = y + "px";
  byId("scroll").style.height = Math.max(y + 2, 40) + "px";
  byId("scroll").scrollTop = 0;
  byId("back").hidden = view.bands || view.timeline.bands.length === 0;
  byId("scope").textContent = scope;
  redraw();
}

// rowOf finds the row that shows a lane, or none.
const rowOf = lane => view.rows.find(r => r.band ? r.band.first <= lane && lane <= r.band.last : r.lane === lane);

// showFinding brings a violation, or with -1 none, and optionally another instant of its proof, into view.
function showFinding(index, at = null) {
  const t = view.timeline, f = t.findings[index];
  view.finding = f || null;
  view.instant = f ? at ?? f.at : at;
  const label = byId("instant");
  label.textContent = view.instant == null ? "" : `${f && view.instant === f.at ? "◆ " + view.spec.violations[index].invariant + " at " : ""}${clock(t, view.instant)} (+${span(view.instant)})`;
  if (!f) return redraw();
  if (t.bands.length && f.lanes.length) {
    // The nodes of the proof first, then the neighbours of the one that matters most, for comparison.
    const band = t.bands.find(b => b.first <= f.lanes[0] && f.lanes[0] <= b.last);
    const lanes = [...f.lanes];
    for (let i = band.first; i <= band.last; i++) if (!lanes.includes(i)) lanes.push(i);
    view.bands = false;
    setLanes(lanes, `the ${count(f.lanes.length, "node")} of the proof, then the neighbours of ${t.lanes[f.lanes[0]].node}`);
  }
  const times = [f.at, view.instant, ...f.events.map(e => e.at)];
  const first = Math.min(...times), last = Math.max(...times);
  const width = Math.max((last - first) * 1.6, 6000);
  setWindow((first + last) / 2 - width / 2, (first + last) / 2 + width / 2);
  if (view.instant < view.from || view.instant > view.to) setWindow(view.instant - width / 2, view.instant + width / 2);
  const row = f.lanes.length ? rowOf(f.lanes[0]) : null, box = byId("scroll");
  if (row && (row.y < box.scrollTop || row.y + row.height > box.scrollTop + box.clientHeight)) box.scrollTop = row.y - box.clientHeight / 2;
  byId("timeline").scrollIntoView({block: "nearest"});
  redraw();
}

let frame = 0;

// redraw draws once before the next frame, however often it is called until then.
function redraw() {
  if (!frame) frame = requestAnimationFrame(() => { frame = 0; if (view.timeline && !byId("timeline").hidden) drawAll(); });
}
