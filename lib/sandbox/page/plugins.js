// The plugins: a pill for each that says whether it is ready, and a card with its log.
import { get, once, send } from "./api.js";
import { byId, el, keyed } from "./dom.js";

let chosen = "";
let list = [];

// look is how a plugin is, in a word, and in a sentence.
function look(p) {
  if (!p.pid) return ["down", "down", "It does not run: " + (p.last_error || "it is being started") + "."];
  if (!p.known) return ["wait", "starting", "It runs, and has not said yet whether it is ready."];
  if (!p.ready) return ["down", "not ready", "It is not ready: " + (p.why || []).join("; ") + "."];
  return ["up", "ready", "It is ready: connected to Teleport and to its service."];
}

export function setUp() {
  byId("plugin-close").addEventListener("click", () => {
    const pill = byId("pill-" + chosen);
    choose("");
    pill?.focus();
  });
}

function choose(name) {
  chosen = chosen === name ? "" : name;
  byId("plugin").hidden = !chosen;
  if (chosen) {
    const service = list.find((p) => p.name === chosen).service;
    const act = (action, plugin) => once(() => send("POST", "/api/faults", { action, plugin }));
    byId("plugin-buttons").replaceChildren(
      el("button", { type: "button", class: "small", onclick: act("kill_plugin", chosen) }, "Kill"),
      el("button", { type: "button", class: "small", onclick: act("lock", service) }, "Lock its user"),
      el("button", { type: "button", class: "small", onclick: act("unlock", service) }, "Unlock"));
    byId("plugin-title").textContent = "Plugin " + chosen;
    byId("plugin-log").textContent = "";
    byId("plugin").scrollIntoView({ block: "nearest" });
  }
  show();
}

export function update(plugins) {
  list = plugins;
  if (chosen && !list.some((p) => p.name === chosen)) choose("");
  show();
}

function show() {
  keyed(byId("plugins"), list.map((p) => ({ ...p, chosen: p.name === chosen })), (p) => p.name,
    (p) => el("li", {}, el("button", { type: "button", id: "pill-" + p.name, onclick: () => choose(p.name) })), (node, p) => {
      const [style, word, sentence] = look(p);
      const button = node.firstChild;
      button.className = "pill " + style;
      button.title = sentence + (p.starts > 1 ? " It was started " + p.starts + " times." : "");
      button.setAttribute("aria-expanded", String(p.chosen));
      button.replaceChildren(el("span", {}, p.name), el("span", { class: "word" }, " " + word));
    });
  if (chosen) showCard();
}

let reading = false;

async function showCard() {
  const name = chosen;
  byId("plugin-says").textContent = look(list.find((p) => p.name === name))[2];
  if (reading) return;
  reading = true;
  try {
    const { lines } = await get("/api/plugins/" + encodeURIComponent(name) + "/log");
    if (name === chosen) fillLog(lines);
  } catch { /* the next news brings it */ } finally { reading = false; }
  if (chosen && name !== chosen) showCard(); // another one was chosen meanwhile
}

function fillLog(lines) {
  const log = byId("plugin-log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.textContent = lines.slice(-150).join("\n");
  if (atEnd) log.scrollTop = log.scrollHeight;
}
