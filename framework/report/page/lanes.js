// lanes.js: the lanes with their bars, the bands, the legend, and what is under the pointer.

// drawSegment draws a pod's state. Each has a shape of its own, so that the colour need only tell revisions apart.
function drawSegment(c, state, colour, x, y, wide, high) {
  c.setLineDash([]);
  c.globalAlpha = 1;
  switch (state) {
    case PENDING:
      c.strokeStyle = colour; c.lineWidth = 1; c.setLineDash([2, 2]);
      c.strokeRect(x + 0.5, y + 0.5, Math.max(wide - 1, 0.5), high - 1);
      c.setLineDash([]);
      return;
    case RUNNING:
      c.fillStyle = colour; c.globalAlpha = 0.3; c.fillRect(x, y, wide, high); c.globalAlpha = 1;
      c.fillRect(x, y + high - 2, wide, 2);
      return;
    case READY:
      c.fillStyle = colour; c.globalAlpha = 0.3; c.fillRect(x, y, wide, high); c.globalAlpha = 1;
      c.fillRect(x, y + high / 2, wide, high / 2);
      return;
    case AVAILABLE:
      c.fillStyle = colour; c.fillRect(x, y, wide, high);
      return;
    case TERMINATING:
      c.fillStyle = hatch(colour); c.fillRect(x, y, wide, high);
      return;
    default:
      c.fillStyle = theme.soft; c.fillRect(x, y + high / 2 - 1, wide, 2);
      if (wide > 9) { c.strokeStyle = theme.soft; c.lineWidth = 1.5; c.beginPath(); c.moveTo(x + wide / 2 - 4, y + high / 2 - 4); c.lineTo(x + wide / 2 + 4, y + high / 2 + 4); c.moveTo(x + wide / 2 + 4, y + high / 2 - 4); c.lineTo(x + wide / 2 - 4, y + high / 2 + 4); c.stroke(); }
  }
}

function drawLanes() {
  const box = byId("scroll"), {c, width, height} = prepare(byId("lanes"), box.clientHeight);
  const top = box.scrollTop;
  const rows = view.rows.filter(r => r.y + r.height >= top && r.y <= top + height);
  rows.forEach(r => {
    if (!r.band && view.finding?.lanes.includes(r.lane)) { c.fillStyle = theme.violation; c.globalAlpha = 0.09; c.fillRect(0, r.y - top, width, r.height); c.globalAlpha = 1; }
  });
  verticals(c, width, 0, height);
  for (const r of rows) {
    const y = r.y - top;
    c.fillStyle = theme.text;
    if (r.band) drawBand(c, r, y, width);
    else drawLane(c, r, y, width);
  }
  view.timeline.findings.forEach(f => {
    const r = f.lanes.length ? rowOf(f.lanes[0]) : null;
    if (r && rows.includes(r) && f.at >= view.from) diamond(c, xOf(f.at, width), r.y - top + r.height / 2, f === view.finding ? 6 : 4);
  });
}

function drawLane(c, r, y, width) {
  const t = view.timeline;
  c.fillText(clip(c, t.lanes[r.lane].node || "(on no node)", gutter - 10), 4, y + r.height / 2);
  c.strokeStyle = theme.line; c.lineWidth = 1; c.setLineDash([]);
  c.beginPath(); c.moveTo(0, Math.round(y + r.height) - 0.5); c.lineTo(width, Math.round(y + r.height) - 0.5); c.stroke();
  c.save();
  c.beginPath(); c.rect(gutter, y, width - gutter, r.height); c.clip();
  for (const bar of t.byLane[r.lane]) {
    if (bar.end < view.from || bar.from > view.to) continue;
    const top = y + lanePadding / 2 + bar.track * trackHeight, high = trackHeight - 2, colour = bar.daemonSet < 0 ? "#9aa4b1" : colourOf(bar.revision);
    for (const s of bar.segments) {
      if (s.to < view.from || s.from > view.to) continue;
      const left = Math.max(xOf(s.from, width), gutter - 4), right = Math.min(xOf(s.to, width), width + 4);
      drawSegment(c, s.state, colour, left, top, Math.max(right - left, 1), high);
    }
    c.globalAlpha = 1;
    const left = Math.max(xOf(bar.from, width), gutter), right = Math.min(xOf(bar.end, width), width - 8);
    if (view.finding && view.finding.bars.some(i => t.bars[i] === bar)) {
      c.strokeStyle = theme.violation; c.lineWidth = 2; c.strokeRect(left + 1, top, Math.max(right - left - 2, 2), high);
    }
    const text = bar.pod;
    if (right - left > 60) drawName(c, bar, text, left, right, top + high / 2 + 0.5, width);
  }
  c.restore();
}

// drawName writes a pod's name on the longest part of its bar that can be seen, if it fits there.
function drawName(c, bar, text, left, right, y, width) {
  let best = null;
  for (const s of bar.segments) {
    if (s.state !== AVAILABLE) continue;
    const from = Math.max(xOf(s.from, width), left), to = Math.min(xOf(s.to, width), right);
    if (!best || to - from > best.to - best.from) best = {from, to};
  }
  if (!best) return;
  c.font = "11px system-ui, sans-serif";
  if (c.measureText(text).width + 10 < best.to - best.from) { c.fillStyle = "#10151b"; c.fillText(text, best.from + 5, y); }
  c.font = "12px system-ui, sans-serif";
}

// drawBand stacks, column by column, what the nodes of a band are doing: available pods of the newest revision at the bottom.
function drawBand(c, r, y, width) {
  const t = view.timeline, columns = r.band.columns, each = t.length / columns.length, high = bandHeight - 1;
  if (view.rows.indexOf(r) % 2 === 0) { // every other name has room
    c.font = "10.5px system-ui, sans-serif";
    c.fillStyle = theme.soft;
    c.fillText(clip(c, `${t.lanes[r.band.first].node} …`, gutter - 10), 4, y + bandHeight / 2 + 1);
    c.font = "12px system-ui, sans-serif";
  }
  const first = Math.max(0, Math.floor(view.from / each)), last = Math.min(columns.length - 1, Math.floor(view.to / each));
  for (let i = first; i <= last;) {
    let next = i + 1;
    while (next <= last && columns[next].every((n, k) => n === columns[i][k])) next++;
    const left = Math.max(xOf(i * each, width), gutter), right = Math.max(xOf(next * each, width), left);
    let bottom = y + high;
    for (let k = columns[i].length - 1; k >= 0; k--) {
      if (!columns[i][k]) continue;
      const part = columns[i][k] / 1000 * high;
      c.fillStyle = k >= 3 ? colourOf(k - 3) : k === 2 ? theme.soft : k === 1 ? hatch(theme.soft) : theme.back;
      c.fillRect(left, bottom - part, right - left + 0.4, part);
      bottom -= part;
    }
    i = next;
  }
}

function drawLegend() {
  readTheme();
  const t = view.timeline;
  const sample = draw => { const canvas = make("canvas", {width: 68, height: 28}), c = canvas.getContext("2d"); c.scale(2, 2); draw(c); return canvas; };
  const item = (draw, ...words) => make("span", {}, sample(draw), ...words);
  const revision = (r, i) => item(c => drawSegment(c, AVAILABLE, r.daemonSet < 0 ? "#9aa4b1" : colourOf(i), 0, 1, 34, 12), `revision ${r.hash}`, r.image && make("small", {}, r.image.split("/").pop()));
  byId("legend").replaceChildren(
    ...t.revisions.slice(0, 8).map(revision),
    ...(view.bands || t.bands.length ? [item(c => { c.fillStyle = theme.soft; c.fillRect(0, 1, 34, 12); }, "band: starting")] : []),
    ...states.map((name, state) => item(c => drawSegment(c, state, theme.soft, 0, 1, 34, 12), name)),
    item(c => diamond(c, 17, 7, 5), "violation"),
    item(c => { c.fillStyle = hatch(theme.over); c.fillRect(0, 1, 34, 12); }, "above the budget (a violation only where one is marked)"));
}

// under says in words what is at a place of the lanes, or nothing.
function under(x, y, width) {
  const t = view.timeline, at = timeAt(x, width), row = view.rows.find(r => r.y <= y && y < r.y + r.height);
  if (!row) return "";
  if (row.band) return underBand(row.band, at);
  const track = Math.floor((y - row.y - lanePadding / 2) / trackHeight);
  const bar = t.byLane[row.lane].find(b => b.track === track && b.from <= at && at <= b.end);
  if (!bar) return x < gutter ? t.lanes[row.lane].node : `${t.lanes[row.lane].node || "on no node"}\n${clock(t, at)}`;
  const s = bar.segments.find(s => s.from <= at && at <= s.to), r = t.revisions[bar.revision];
  return `${bar.pod} on ${t.lanes[row.lane].node || "no node"}\n${states[s.state]} for ${span(s.to - s.from)}, ${clock(t, s.from)} to ${clock(t, s.to)}\n` +
    (bar.daemonSet >= 0 ? `${t.daemonSets[bar.daemonSet]}, ` : "") + (r ? `revision ${r.hash} (${r.image || "no image"})` : "no revision") + (bar.gone ? `\ngone at ${clock(t, bar.end)}` : "");
}

function underBand(band, at) {
  const t = view.timeline, n = band.last - band.first + 1, column = band.columns[Math.floor(at / t.length * band.columns.length)];
  const words = (column || []).map((part, k) => part && `${(part / 1000 * n).toFixed(1)} ${k >= 3 ? "available, revision " + (t.revisions[k - 3]?.hash || "") : ["without a pod", "terminating", "starting"][k]}`).filter(Boolean);
  return `${t.lanes[band.first].node} … ${t.lanes[band.last].node}: ${count(n, "node")}\n${clock(t, Math.max(0, at))}\n${words.join("\n")}`;
}
