// What each part does, the newest first.
import { byId, clock, el, keyed } from "./dom.js";
import { words } from "./glyphs.js";

const most = 120;
const filters = [["", "All"], ["teleport", "Teleport"], ["plugin", "Plugins"], ["service", "Services"]];

let part = "";
let story = [];

export function setUp() {
  byId("timeline-filter").replaceChildren(...filters.map(([value, title]) =>
    el("button", { type: "button", class: "small", "aria-pressed": String(value === part), onclick: (e) => choose(value, e.target) }, title)));
}

function choose(value, button) {
  part = value;
  for (const b of byId("timeline-filter").children) b.setAttribute("aria-pressed", String(b === button));
  show();
}

export function update(entries) {
  if (story.length === entries.length && entries.every((e, i) => e.rev === story[i].rev)) return;
  story = entries;
  show();
}

function show() {
  const list = story.filter((e) => !part || e.part === part).slice(-most).reverse();
  keyed(byId("timeline"), list, (e) => e.id, () => el("li", {}), fill);
}

function fill(node, e) {
  node.className = "entry " + (e.tone ? "tone-" + e.tone : "") + (e.part === "sandbox" ? " told" : "");
  node.replaceChildren(clock(e.at, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
    el("div", { class: "said-of" }, el("span", { class: "part " + e.part }, who(e)), " ", el("span", { class: "what" }, words(e.text)), e.times > 1 && el("span", { class: "times" }, " × " + e.times),
      e.detail && el("span", { class: "detail" }, e.detail)));
}

const who = (e) => ({ teleport: "Teleport", sandbox: "Scene", plugin: "plugin " + e.name })[e.part] || e.name;
