// overview.js: the head of the page, the list of specs, and the matrix of behaviours.
let onlyVerdict = "", searched = "", shown = [];

function drawHead() {
  const s = report.summary, i = report.implementation, c = report.cluster;
  const fact = (name, ...value) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value));
  byId("head").append(
    make("h1", {}, symbol(s.result), " ", make("span", {class: s.result}, s.result), s.reason ? make("span", {class: "why"}, " · " + s.reason) : null),
    make("dl", {},
      fact("implementation", make("b", {}, [i.organization, i.project, i.version].filter(Boolean).join(" ") || "not named")),
      fact("cluster", `${c.provider}, ${count(c.nodes, "node")}, Kubernetes ${c.kubernetesVersion}`),
      fact("seed", make("code", {}, String(report.suite.seed))),
      fact("suite", `${report.suite.version} ${String(report.suite.commit).replace(/^([0-9a-f]{12})[0-9a-f]+/, "$1")}`),
      fact("date", report.date.replace("T", " ").replace("Z", " UTC"))),
    make("button", {onclick: () => byId("help").showModal(), title: "Keys (?)"}, "keys"));
}

function drawTiles() {
  const counts = Object.fromEntries(verdicts.map(v => [v, 0]));
  for (const s of specs) counts[s.verdict]++;
  const tile = (v, n, label) => make("button", {"aria-pressed": String(onlyVerdict === v), onclick: () => { onlyVerdict = onlyVerdict === v ? "" : v; drawTiles(); drawSpecs(); }},
    v ? symbol(v) : null, make("b", {}, String(n)), label);
  byId("tiles").replaceChildren(tile("", specs.length, "all"), ...verdicts.filter(v => counts[v]).map(v => tile(v, counts[v], wordFor(v))));
}

// matches says whether a spec has every word that was searched for, in its name, behaviours, reason or violations.
function matches(spec) {
  if (onlyVerdict && spec.verdict !== onlyVerdict) return false;
  const text = [spec.name, spec.verdict, spec.reason, ...(spec.behaviours || []), ...spec.violations.map(v => v.invariant + " " + v.message)].join(" ").toLowerCase();
  return searched.toLowerCase().split(/\s+/).every(word => text.includes(word));
}

function drawSpecs() {
  shown = specs.filter(matches);
  byId("specs").replaceChildren(...shown.map(s => make("li", {}, make("a", {href: "#spec=" + s.index, "aria-current": chosen === s && "true"},
    symbol(s.verdict), make("span", {}, s.name, " ", make("small", {}, [(s.behaviours || []).join(" "), s.duration, s.violations.length && count(s.violations.length, "violation")].filter(Boolean).join(" · ")))))));
  if (!shown.length) byId("specs").append(make("li", {class: "empty"}, "No spec matches."));
}

const covered = b => b.specs.length > 0 || b.histories > 0;

function drawOverview() {
  const areas = new Map();
  for (const b of behaviours) {
    const key = b.id.split("-")[0];
    if (!areas.has(key)) areas.set(key, {name: b.area || "", list: []});
    areas.get(key).list.push(b);
  }
  const promise = make("div", {id: "promise"}, "Point at a behaviour to read it; click it to see its specs.");
  const tell = b => promise.replaceChildren(symbol(b.verdict), make("b", {}, ` ${b.id} `), `${wordFor(b.verdict)} · ${b.level || "no level"}. ${b.statement || ""} `,
    make("span", {class: "skipped"}, [b.histories && `judged on ${count(b.histories, "history", "histories")}`, b.specs.length && count(b.specs.length, "spec")].filter(Boolean).join(", ") || (b.unproven ? "nothing can show it: " + b.unproven : "no planned spec covers it")));
  const cell = b => make("a", {
    class: `cell ${b.verdict}${covered(b) ? "" : " uncovered"}`, href: "#behaviour=" + b.id, onmouseenter: () => tell(b), onfocus: () => tell(b),
    "aria-label": `${b.id}, ${wordFor(b.verdict)}: ${b.statement || ""}`,
  }, b.id, make("span", {"aria-hidden": "true"}, covered(b) ? symbols[b.verdict] : "·"));
  byId("overview").replaceChildren(
    make("h2", {}, "Behaviours ", make("small", {}, "by area; the worst of its specs decides a behaviour's colour")),
    ...[...areas].map(([key, area]) => make("div", {class: "area"}, make("span", {}, make("b", {}, key + " "), area.name), make("div", {class: "cells"}, area.list.map(cell)))),
    promise,
    make("div", {class: "key"}, [...verdicts].reverse().map(v => make("span", {}, symbol(v), " " + wordFor(v))), make("span", {}, "· no planned spec covers it")),
    make("h2", {}, "Profiles ", make("small", {}, "counted in behaviours")),
    drawProfiles(),
    ...drawFacts());
}

function drawProfiles() {
  const columns = [["passed", "passed"], ["failed", "failed"], ["deviations", "deviations"], ["skipped", "skipped"], ["inconclusive", "inconclusive"], ["errors", "errors"], ["notRun", "not run"], ["planned", "planned"]];
  return make("table", {},
    make("tr", {}, make("th", {}, "level"), make("th", {}, "result"), columns.map(([, word]) => make("th", {class: "number"}, word)), make("th", {class: "number"}, "not covered"), make("th", {}, "")),
    ...(report.profiles || []).map(p => make("tr", {}, make("td", {}, p.name), make("td", {class: p.result}, symbol(p.result), p.result),
      columns.map(([key]) => make("td", {class: "number"}, String(p.statistics[key]))), make("td", {class: "number"}, String(p.uncovered)), make("td", {}, p.reason || ""))));
}

function drawFacts() {
  const rows = Object.entries(report.configuration || {}).map(([name, value]) => make("tr", {}, make("td", {}, make("code", {}, name)), make("td", {}, make("code", {}, value))));
  const t = report.timings;
  const times = t ? [t.clusterUp && "cluster up " + t.clusterUp, "total " + t.total, "sum of the specs " + t.specs].filter(Boolean).join(" · ") : "";
  return [
    report.reproduce && [make("h2", {}, "Reproduce"), make("pre", {}, report.reproduce)],
    times && [make("h2", {}, "Time"), make("p", {}, times)],
    rows.length && [make("h2", {}, "Configuration"), make("table", {}, rows)],
  ].filter(Boolean).flat();
}

function showOverview() {
  chosen = null;
  byId("overview").hidden = false;
  byId("detail").hidden = true;
  drawSpecs();
}
