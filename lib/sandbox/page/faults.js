// The drawer with the faults.
import { get, send } from "./api.js";
import { el, keyed } from "./dom.js";

const byId = (id) => document.getElementById(id);

const effects = {
  rate_limit: "refuses: too many calls (429)", status: "answers with a status", hang: "hangs", cut: "cuts the connection",
  done_not_answered: "does it, but does not answer", garbage: "answers nonsense", slow: "is slow", refuse: "refuses with its own error",
};

const actions = [
  ["cut_streams", "Cut the streams"], ["cut_streams_with_error", "Cut with an error"], ["cut_connections", "Cut all connections"],
  ["restart_cluster", "Restart"], ["stop_cluster", "Stop"], ["resume_cluster", "Resume"], ["rotate_ca", "Rotate the CA"], ["renew_identities", "Renew the identities"],
];

const rights = [
  { kind: "access_plugin_data", verbs: ["update"] }, { kind: "role", verbs: ["read"] }, { kind: "user", verbs: ["list", "read"] },
  { kind: "node", verbs: ["list", "read"] }, { kind: "access_monitoring_rule", verbs: ["list", "read"] }, { kind: "access_request", verbs: ["list", "read"] },
  { kind: "review_requests", verbs: ["review"] },
];

const post = async (body) => { await send("POST", "/api/faults", body); await update(); };
const end = async (from) => { await send("DELETE", "/api/faults" + (from ? "?from=" + from : "")); await update(); };

let current = { services: {}, cluster: {}, denied: [] };
let plugins = [];

export function setUp(services) {
  const drawer = byId("faults");
  const show = (on) => {
    drawer.hidden = !on;
    byId("faults-open").setAttribute("aria-expanded", String(on));
    (on ? byId("faults-close") : byId("faults-open")).focus();
  };
  byId("faults-open").addEventListener("click", () => show(drawer.hidden));
  byId("faults-close").addEventListener("click", () => show(false));
  drawer.addEventListener("keydown", (e) => { if (e.key === "Escape") show(false); });
  byId("faults-clear").addEventListener("click", () => end(""));
  byId("fault-actions").replaceChildren(...actions.map(([action, title]) =>
    el("button", { type: "button", class: "small", onclick: () => post({ action }) }, title)));
  for (const [id, key, value] of [["fault-black-hole", "black_hole", true], ["fault-refuse", "refuse_connections", true], ["fault-slow", "slow_ms", 2000]]) {
    byId(id).addEventListener("change", (e) => post({ cluster: { ...current.cluster, [key]: e.target.checked ? value : undefined } }));
  }
  setUpForm(services);
  update();
}

function setUpForm(services) {
  const form = byId("fault-form");
  form.service.replaceChildren(...services.map((s) => el("option", { value: s }, s)));
  form.effect.replaceChildren(...Object.entries(effects).map(([value, title]) => el("option", { value }, title)));
  const fit = () => {
    form.querySelector(".fault-status").hidden = form.effect.value !== "status";
    form.querySelector(".fault-refuse").hidden = form.effect.value !== "refuse";
    form.querySelector(".fault-wait").hidden = !["rate_limit", "slow"].includes(form.effect.value);
  };
  form.effect.addEventListener("change", fit);
  fit();
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const fault = { effect: form.effect.value, times: Number(form.times.value) };
    const wait = Math.round(Number(form.seconds.value) * 1000);
    if (form.method.value) fault.method = form.method.value.trim();
    if (fault.effect === "status") fault.http_status = Number(form.http_status.value);
    if (fault.effect === "refuse") fault.code = form.code.value;
    if (fault.effect === "rate_limit") fault.retry_after_ms = wait;
    if (fault.effect === "slow") fault.delay_ms = wait;
    post({ service: form.service.value, fault });
  });
}

// update asks for the faults and shows them.
export async function update(running) {
  if (running) plugins = running;
  try { current = await get("/api/faults"); } catch { return; }
  const items = active();
  byId("faults-none").hidden = items.length > 0;
  byId("faults-clear").hidden = items.length === 0;
  byId("faults-count").textContent = items.length;
  byId("faults-count").hidden = items.length === 0;
  keyed(byId("faults-list"), items, (f) => f.key || f.title, () => el("li", { class: "fault" }), (node, f) => node.replaceChildren(
    el("span", {}, el("strong", {}, f.from), " ", f.title), el("button", { type: "button", class: "small", onclick: () => undo(f) }, f.undo ? "Undo" : "End all of " + f.from)));
  byId("fault-black-hole").checked = Boolean(current.cluster.black_hole);
  byId("fault-refuse").checked = Boolean(current.cluster.refuse_connections);
  byId("fault-slow").checked = Boolean(current.cluster.slow_ms);
  fillRights();
  fillPlugins();
}

const undo = (f) => (f.undo ? post(f.undo) : end(f.from === "Teleport" ? "cluster" : f.from));

// active lists what is in force in words.
function active() {
  const out = [];
  for (const [from, list] of Object.entries(current.services)) {
    for (const [i, f] of list.entries()) {
      const details = [f.http_status, f.code, f.retry_after_ms && f.retry_after_ms / 1000 + " s", f.delay_ms && f.delay_ms / 1000 + " s"].filter(Boolean).join(", ");
      out.push({ from, title: effects[f.effect] + (details ? ": " + details : "") + (f.method ? " on " + f.method : "") + (f.times ? ", " + f.times + " more" : ""), key: from + i });
    }
  }
  for (const [key, value] of Object.entries(current.cluster)) out.push({ from: "Teleport", title: key.replaceAll("_", " ") + (value === true ? "" : ": " + JSON.stringify(value)) });
  for (const d of current.denied) out.push({ from: "Teleport", title: "denies " + right(d), undo: { allow: d } });
  return out;
}

const right = (d) => d.kind + (d.verbs ? " (" + d.verbs.join(", ") + ")" : "");

function fillRights() {
  const denied = new Set(current.denied.map((d) => right(d)));
  const items = rights.map((d) => ({ ...d, denied: denied.has(right(d)) }));
  keyed(byId("fault-rights"), items, (d) => d.kind, (d) => el("label", { class: "check" },
    el("input", { type: "checkbox", onchange: (e) => post(e.target.checked ? { allow: { kind: d.kind, verbs: d.verbs } } : { deny: { kind: d.kind, verbs: d.verbs } }) }),
    el("code", {}, right(d))), (node, d) => { node.firstChild.checked = !d.denied; });
}

function fillPlugins() {
  byId("fault-plugins-section").hidden = plugins.length === 0;
  keyed(byId("fault-plugins"), plugins, (p) => p.name, (p) => el("div", { class: "row" },
    el("strong", {}, p.name), el("button", { type: "button", class: "small", onclick: () => post({ action: "kill_plugin", plugin: p.name }) }, "Kill"),
    el("button", { type: "button", class: "small", onclick: () => post({ action: "lock", plugin: p.name.split("-")[0] }) }, "Lock its user"),
    el("button", { type: "button", class: "small", onclick: () => post({ action: "unlock", plugin: p.name.split("-")[0] }) }, "Unlock")), () => {});
}
