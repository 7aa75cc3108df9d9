// keys.js: the pointer, the keyboard, the address, and the start.
const keys = [["j  k", "next, previous spec"], ["n  p", "next, previous violation"], ["/", "search"], ["+  −", "zoom"], ["←  →", "move in time"], ["↑  ↓", "scroll the lanes"],
  ["0", "the whole time"], ["Esc", "from nodes to bands, from a spec to the behaviours"], ["?", "this list"]];

function go(address) { location.hash = address; }

function route() {
  const to = new URLSearchParams(location.hash.slice(1)), spec = specs.find(s => String(s.index) === to.get("spec"));
  if (to.get("behaviour")) {
    searched = byId("search").value = to.get("behaviour");
    onlyVerdict = "";
    drawTiles();
    showOverview();
    for (const c of byId("overview").querySelectorAll(".cell")) c.classList.toggle("chosen", c.hash === location.hash);
    byId("overview").querySelector(".chosen")?.dispatchEvent(new Event("mouseenter"));
    return;
  }
  if (!spec) return showOverview();
  const violation = to.get("violation") === null ? -1 : Number(to.get("violation")), at = to.get("at") === null ? null : Number(to.get("at"));
  showSpec(spec, violation).then(() => { if (at !== null && chosen === spec && view.timeline) showFinding(violation, at); });
}

function nextSpec(by) {
  if (!shown.length) return;
  const at = shown.indexOf(chosen);
  go("spec=" + shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1)].index);
}

// nextViolation goes through those of the spec, then of the further specs that are listed.
function nextViolation(by) {
  const all = shown.flatMap(s => s.violations.map((_, i) => ({s, i})));
  if (!all.length) return;
  let at = all.findIndex(v => v.s === chosen && v.i === chosenViolation);
  if (at < 0) {
    const here = all.findIndex(v => v.s === chosen);
    at = here < 0 ? (by > 0 ? 0 : all.length - 1) : here;
  } else at = (at + by + all.length) % all.length;
  go(`spec=${all[at].s.index}&violation=${all[at].i}`);
}

function escape() {
  if (!byId("back").hidden && chosen && !byId("timeline").hidden) showAllLanes();
  else go("");
}

function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || byId("help").open) return;
  if (e.target === byId("search")) { if (e.key === "Escape" || e.key === "Enter") { e.target.blur(); e.preventDefault(); } return; }
  if (e.target.tagName === "SELECT") return;
  const drawn = chosen && !byId("timeline").hidden;
  const actions = {
    j: () => nextSpec(1), k: () => nextSpec(-1), n: () => nextViolation(1), p: () => nextViolation(-1), "/": () => byId("search").select(), "?": () => byId("help").showModal(), Escape: escape,
    ...(drawn && {"+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "0": fit, ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15),
      ArrowUp: () => byId("scroll").scrollBy(0, -60), ArrowDown: () => byId("scroll").scrollBy(0, 60)}),
  };
  if (actions[e.key]) { e.preventDefault(); actions[e.key](); }
}

function tip(text, e) {
  const box = byId("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  box.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - box.offsetWidth - 8)) + "px";
  box.style.top = (e.clientY + 18 + box.offsetHeight > innerHeight ? e.clientY - box.offsetHeight - 10 : e.clientY + 18) + "px";
}

// near is the mark or violation whose line is close to a place, or nothing.
function near(x, width) {
  const t = view.timeline, found = [];
  t.findings.forEach((f, i) => found.push({d: Math.abs(xOf(f.at, width) - x), text: `◆ ${view.spec.violations[i].invariant}: ${view.spec.violations[i].message}`, violation: i}));
  t.marks.forEach(m => found.push({d: Math.abs(xOf(m.at, width) - x) + 0.5, text: `${m.text}\n${clock(t, m.at)}${m.end > m.at ? ", answered after " + span(m.end - m.at) : ""}`}));
  found.sort((a, b) => a.d - b.d);
  return found.length && found[0].d < 6 ? found[0] : null;
}

// attach gives a canvas its pointer: drag to move in time, Ctrl and the wheel to zoom.
function attach(canvas, describe, click) {
  let drag = null;
  canvas.addEventListener("pointerdown", e => { if (e.button === 0) { drag = {x: e.clientX, from: view.from, to: view.to, moved: false}; canvas.setPointerCapture(e.pointerId); } });
  canvas.addEventListener("pointermove", e => {
    const width = canvas.clientWidth;
    if (!drag) return tip(describe(e.offsetX, e.offsetY, width), e);
    const by = (drag.x - e.clientX) / (width - gutter - 8) * (drag.to - drag.from);
    if (Math.abs(drag.x - e.clientX) > 3) { drag.moved = true; canvas.classList.add("dragging"); }
    if (drag.moved) { tip("", e); setWindow(drag.from + by, drag.to + by); }
  });
  canvas.addEventListener("pointerup", e => { const was = drag; drag = null; canvas.classList.remove("dragging"); if (was && !was.moved) click(e.offsetX, e.offsetY, canvas.clientWidth); });
  canvas.addEventListener("pointercancel", () => { drag = null; canvas.classList.remove("dragging"); });
  canvas.addEventListener("pointerleave", e => tip("", e));
  canvas.addEventListener("dblclick", e => zoom(0.4, timeAt(e.offsetX, canvas.clientWidth)));
  canvas.addEventListener("wheel", e => {
    if (e.ctrlKey || canvas.id !== "lanes" && !e.shiftKey && Math.abs(e.deltaY) > Math.abs(e.deltaX)) { e.preventDefault(); zoom(Math.exp(e.deltaY * 0.002), timeAt(e.offsetX, canvas.clientWidth)); }
    else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) { e.preventDefault(); pan((e.deltaX || e.deltaY) / 900); }
  }, {passive: false});
}

function clickViolation(x, width) {
  const hit = near(x, width);
  if (hit && hit.violation !== undefined) go(`spec=${view.spec.index}&violation=${hit.violation}`);
  return !!hit;
}

function underBudget(x, y, width) {
  const line = view.timeline.budgets[view.daemonSet], at = timeAt(x, width);
  const step = line && line.steps[stepAt(line.steps, at)];
  return x > gutter && step ? `${clock(view.timeline, at)}\n${step[1]} of ${count(step[3], "node")} without an available pod of ${view.timeline.daemonSets[line.daemonSet]}\n` + (step[2] < 0 ? "no limit" : `${step[2]} allowed`) : "";
}

function start() {
  drawHead();
  drawTiles();
  drawSpecs();
  drawOverview();
  byId("help").append(make("h2", {}, "Keys"), make("table", {}, keys.map(([key, what]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, what)))),
    make("p", {}, "Drag to move in time. Ctrl and the wheel, or the wheel over the axis and the budget, zoom."), make("button", {onclick: () => byId("help").close()}, "close"));
  byId("search").addEventListener("input", e => { searched = e.target.value; drawSpecs(); });
  byId("daemonset").addEventListener("change", e => { view.daemonSet = Number(e.target.value); redraw(); });
  byId("back").addEventListener("click", showAllLanes);
  byId("in").addEventListener("click", () => zoom(0.6));
  byId("out").addEventListener("click", () => zoom(1 / 0.6));
  byId("fit").addEventListener("click", fit);
  byId("scroll").addEventListener("scroll", redraw);
  const scrolled = y => y + byId("scroll").scrollTop;
  attach(byId("axis"), (x, y, width) => near(x, width)?.text || "", (x, y, width) => clickViolation(x, width));
  attach(byId("lanes"), (x, y, width) => under(x, scrolled(y), width), (x, y, width) => {
    const row = view.rows.find(r => r.y <= scrolled(y) && scrolled(y) < r.y + r.height);
    const hit = near(x, width), lanes = hit?.violation !== undefined ? view.timeline.findings[hit.violation].lanes : [];
    if (row && lanes.some(lane => rowOf(lane) === row)) clickViolation(x, width);
    else if (row?.band) showBand(row.band);
  });
  attach(byId("budget"), underBudget, (x, y, width) => clickViolation(x, width));
  addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { hatches.clear(); if (view.timeline) { drawLegend(); redraw(); } });
  route();
}
start();
