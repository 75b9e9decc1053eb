// What can be broken by hand, and what is broken now.
import { once, send } from "./api.js";
import { byId, el, keyed } from "./dom.js";

const effects = {
  rate_limit: "refuses: too many calls (429)", status: "answers with a status", hang: "hangs", cut: "cuts the connection",
  done_not_answered: "does it, but does not answer", garbage: "answers nonsense", slow: "is slow", refuse: "refuses with its own error",
};

const ways = { black_hole: "swallows packets", refuse_connections: "refuses new connections", slow_ms: "takes longer for every call" };

const actions = [
  ["cut_streams", "Cut the streams"], ["cut_streams_with_error", "Cut with an error"], ["cut_connections", "Cut all connections"],
  ["restart_cluster", "Restart"], ["stop_cluster", "Stop"], ["resume_cluster", "Resume"], ["rotate_ca", "Rotate the CA"], ["renew_identities", "Renew the identities"],
];

const rights = [
  { kind: "access_plugin_data", verbs: ["update"] }, { kind: "role", verbs: ["read"] }, { kind: "user", verbs: ["list", "read"] },
  { kind: "node", verbs: ["list", "read"] }, { kind: "access_monitoring_rule", verbs: ["list", "read"] }, { kind: "access_request", verbs: ["list", "read"] },
  { kind: "review_requests", verbs: ["review"] },
];

const post = (body) => send("POST", "/api/faults", body);
const end = (from) => send("DELETE", "/api/faults" + (from ? "?from=" + from : ""));

let current = { services: {}, cluster: {}, denied: [] };
let titles = new Map();

// setUp takes the services' names with their titles.
export function setUp(services) {
  titles = new Map(services);
  byId("faults-clear").addEventListener("click", once(() => end("")));
  byId("fault-actions").replaceChildren(...actions.map(([action, title]) =>
    el("button", { type: "button", class: "small", onclick: once(() => post({ action })) }, title)));
  for (const [id, key, value] of [["fault-black-hole", "black_hole", true], ["fault-refuse", "refuse_connections", true], ["fault-slow", "slow_ms", 2000]]) {
    byId(id).addEventListener("change", (e) => post({ cluster: { ...current.cluster, [key]: e.target.checked ? value : undefined } }));
  }
  setUpForm(services);
}

function setUpForm(services) {
  const form = byId("fault-form");
  form.service.replaceChildren(...services.map(([name, title]) => el("option", { value: name }, title)));
  form.effect.replaceChildren(...Object.entries(effects).map(([value, title]) => el("option", { value }, title)));
  const fit = () => {
    form.querySelector(".fault-status").hidden = form.effect.value !== "status";
    form.querySelector(".fault-refuse").hidden = form.effect.value !== "refuse";
    form.querySelector(".fault-wait").hidden = !["rate_limit", "slow"].includes(form.effect.value);
  };
  form.effect.addEventListener("change", fit);
  fit();
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("submit", once(() => {
    const fault = { effect: form.effect.value, times: Number(form.times.value) };
    const wait = Math.round(Number(form.seconds.value) * 1000);
    if (form.method.value) fault.method = form.method.value.trim();
    if (fault.effect === "status") fault.http_status = Number(form.http_status.value);
    if (fault.effect === "refuse") fault.code = form.code.value;
    if (fault.effect === "rate_limit") fault.retry_after_ms = wait;
    if (fault.effect === "slow") fault.delay_ms = wait;
    return post({ service: form.service.value, fault });
  }));
}

// update shows what is in force.
export function update(faults) {
  current = faults;
  const items = active();
  byId("force").hidden = items.length === 0;
  keyed(byId("faults-list"), items, (f) => f.key || f.title, () => el("li", { class: "fault" }), (node, f) => node.replaceChildren(
    el("span", {}, el("strong", {}, titles.get(f.from) || f.from), " ", f.title),
    el("button", { type: "button", class: "small", onclick: once(() => undo(f)), "aria-label": f.undo ? "Undo" : "End all of " + (titles.get(f.from) || f.from) }, f.undo ? "Undo" : "End")));
  byId("fault-black-hole").checked = Boolean(current.cluster.black_hole);
  byId("fault-refuse").checked = Boolean(current.cluster.refuse_connections);
  byId("fault-slow").checked = Boolean(current.cluster.slow_ms);
  fillRights();
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
  for (const [key, value] of Object.entries(current.cluster)) out.push({ from: "Teleport", title: ways[key] || key.replaceAll("_", " ") + ": " + JSON.stringify(value) });
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
