// Scenes: one click, and something breaks and heals before one's eyes.
import { get, once, send } from "./api.js";
import { byId, el, keyed } from "./dom.js";

let scenes = [];
let play = { number: 0, over: true };
let dismissed = true; // what was played before this page was opened
let known = false;
let onplay = () => {};

// setUp asks for the scenes; show is called with the service at which one is played.
export async function setUp(state, show) {
  onplay = show;
  const service = byId("scene-service");
  service.replaceChildren(...state.order.map((name) => el("option", { value: name }, state.services[name].title)));
  service.addEventListener("change", () => onplay(service.value));
  byId("play-stop").addEventListener("click", once(() => send("DELETE", "/api/scenes")));
  await refresh();
}

// choose makes the service that somebody looks at the one at which scenes are played.
export function choose(name) {
  byId("scene-service").value = name;
  list();
}

async function refresh() {
  try { scenes = await get("/api/scenes"); } catch { return; }
  list();
  show();
}

function list() {
  const at = byId("scene-service").value;
  const busy = !play.over && play.number > 0;
  const some = scenes.filter((s) => !s.service || s.service === at).map((s) => ({ service: s.service, name: s.name, title: s.title, sentence: s.sentence, busy }));
  keyed(byId("scenes"), some, (s) => s.service + "/" + s.name, make, (node, s) => { node.firstChild.setAttribute("aria-disabled", String(s.busy)); });
}

function make(s) {
  const begin = once(async (e) => {
    if (e.currentTarget?.getAttribute("aria-disabled") === "true" || (!play.over && play.number > 0)) return;
    if (s.service) onplay(s.service);
    await send("POST", "/api/scenes", { service: s.service, scene: s.name });
  });
  return el("li", {}, el("button", { type: "button", class: "scene", "data-scene": s.name, title: s.sentence, onclick: begin },
    el("strong", {}, s.title), el("span", {}, s.sentence)));
}

export function update(state) {
  const next = known && state.play.number !== play.number;
  const changed = next || state.play.over !== play.over;
  known = true;
  play = state.play;
  if (next || (!play.over && play.number > 0)) dismissed = false;
  if (changed || scenes.length === 0) refresh();
  show();
}

// show shows how far the play is; while one is on, it takes the place of the list.
function show() {
  const one = scenes.find((s) => s.service === play.service && s.name === play.scene);
  byId("play").hidden = dismissed || play.number === 0 || !one;
  byId("scenes").hidden = !byId("play").hidden && !play.over;
  if (byId("play").hidden) return;
  byId("play-title").textContent = one.title;
  byId("play-stop").hidden = play.over;
  byId("play-steps").hidden = play.over && !play.error;
  const steps = one.steps.map((s, i) => ({ key: play.number + "." + i, says: s.says, is: play.over && play.error && i >= play.step ? "cut" : i < play.step ? "done" : i === play.step && !play.over ? "now" : "" }));
  keyed(byId("play-steps"), steps, (s) => s.key, () => el("li", {}), (node, s) => {
    node.className = s.is;
    node.textContent = s.says;
    if (s.is === "now") node.setAttribute("aria-current", "step"); else node.removeAttribute("aria-current");
  });
  const end = play.over ? play.error || "Over: " + one.steps.at(-1).says : "";
  if (byId("play-end").textContent !== end) byId("play-end").textContent = end;
}
