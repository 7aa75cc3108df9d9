// detail.js: what a spec says in words, above its timeline.
let chosen = null, chosenViolation = -1;

async function showSpec(spec, violation = -1) {
  const another = chosen !== spec;
  chosen = spec;
  chosenViolation = violation;
  byId("overview").hidden = true;
  byId("detail").hidden = false;
  if (another) {
    drawSpecs();
    byId("specs").querySelector("[aria-current=true]")?.scrollIntoView({block: "nearest"});
    byId("timeline").hidden = byId("none").hidden = true;
    byId("main").scrollTop = 0;
    drawWords(spec, null);
  }
  let timeline = null, problem = notes[spec.index] || "";
  try {
    timeline = await timelineOf(spec);
  } catch (e) {
    problem = "The timeline cannot be read: " + e.message;
  }
  if (chosen !== spec) return; // the reader has gone on meanwhile
  byId("none").hidden = !!timeline || !problem;
  byId("none").textContent = problem;
  byId("timeline").hidden = !timeline;
  if (timeline && (another || view.timeline !== timeline)) openView(timeline, spec);
  drawWords(spec, timeline);
  if (timeline) showFinding(chosenViolation);
}

function drawWords(spec, timeline) {
  const violations = spec.violations;
  const facts = [spec.duration, spec.location, spec.history, spec.runs && `${spec.likeThis} of ${spec.runs} runs like this`].filter(Boolean);
  byId("words").replaceChildren(...[
    make("h2", {}, symbol(spec.verdict), " ", spec.name),
    make("div", {class: "facts"}, make("b", {class: spec.verdict}, wordFor(spec.verdict)), facts.map(f => make("span", {}, f)),
      (spec.behaviours || []).map(id => make("a", {href: "#behaviour=" + id, title: statements.get(id)}, id))),
    // A reason that is a violation's sentence stands in the list below, with its proof.
    spec.reason && !violations.some(v => spec.reason === v.invariant + ": " + v.message) && make("div", {class: "reason " + spec.verdict}, make("span", {}, ...linked(spec, spec.reason))),
    violations.length && make("ol", {class: "violations"}, violations.map((v, i) => violationItem(spec, v, i, timeline))),
    spec.failure && make("details", {}, make("summary", {}, "the whole failure"), make("pre", {}, ...linked(spec, spec.failure))),
  ].filter(Boolean));
  byId("words").querySelector(".chosen")?.scrollIntoView({block: "nearest"});
}

// linked makes links of the sentences that are a violation's.
function linked(spec, text) {
  let parts = [text];
  spec.violations.forEach((v, i) => {
    parts = parts.flatMap(part => {
      const at = typeof part === "string" && v.message ? part.indexOf(v.message) : -1;
      return at < 0 ? [part] : [part.slice(0, at), make("a", {href: `#spec=${spec.index}&violation=${i}`}, v.message), part.slice(at + v.message.length)];
    });
  });
  return parts;
}

function violationItem(spec, v, i, timeline) {
  const isChosen = i === chosenViolation;
  const finding = timeline?.findings[i];
  return make("li", {class: isChosen ? "chosen" : "", "data-violation": i},
    make("span", {class: "mark", "aria-hidden": "true"}, "◆ "), make("b", {}, v.invariant), " ",
    make("a", {href: `#spec=${spec.index}&violation=${i}`, title: "Show the instant on the timeline"}, v.message),
    isChosen && finding && make("ol", {class: "events"}, finding.events.map(e => make("li", {},
      make("span", {class: "when mono"}, clock(timeline, e.at)), make("span", {class: "seq mono"}, "#" + e.seq),
      make("a", {href: `#spec=${spec.index}&violation=${i}&at=${e.at}`}, e.text)))));
}
