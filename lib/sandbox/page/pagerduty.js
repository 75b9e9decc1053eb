// Incidents as PagerDuty shows them, and the on-call rota.
import { send } from "./api.js";
import { el, keyed, link } from "./dom.js";

export function body(m) {
  const raw = m.raw || {};
  return [
    raw.title && el("div", { class: "incident-title" }, raw.title),
    el("div", { class: "text" }, lines(raw.details ?? raw.note ?? m.text)),
    raw.incident_key && el("div", { class: "context" }, "key ", el("code", {}, raw.incident_key), raw.urgency && " · " + raw.urgency + " urgency"),
  ];
}

// lines makes the addresses in plain text links.
function lines(text) {
  return String(text || "").split(/(https?:\/\/[^\s]+)/).map((part, i) => (i % 2 ? link(part, part) : part));
}

// rota shows who is on call for each service, with a switch for everyone.
export function rota(node, state) {
  if (!node.firstChild) node.append(el("h3", {}, "On call"), el("ul", { class: "plain" }));
  const services = new Map();
  for (const o of state.oncall || []) {
    if (!services.has(o.service)) services.set(o.service, { id: o.service, name: o.service_name, people: [] });
    services.get(o.service).people.push(o);
  }
  keyed(node.lastChild, [...services.values()], (v) => v.id, (v) => el("li", { class: "shift" }, el("div", { class: "muted" }, v.name), el("ul", { class: "plain" })),
    (li, v) => keyed(li.lastChild, v.people, (o) => o.user, (o) => el("li", {}, toggle(o)), (item, o) => { item.querySelector("input").checked = o.on; }));
}

function toggle(o) {
  const change = async (e) => {
    const on = e.target.checked;
    if (!await send("POST", "/api/oncall", { user: o.user, service: o.service, on })) e.target.checked = !on;
  };
  return el("label", { class: "check" }, el("input", { type: "checkbox", role: "switch", "aria-label": o.name + " is on call for " + o.service_name, onchange: change }), o.name);
}
