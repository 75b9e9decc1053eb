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

// rota shows who is on call for what, with a switch for each.
export function rota(node, state) {
  if (!node.firstChild) node.append(el("h3", {}, "On call"), el("ul", { class: "plain" }));
  const items = state.oncall || [];
  node.hidden = items.length === 0;
  keyed(node.lastChild, items, (o) => o.service + "/" + o.user, (o) => el("li", {}, el("label", { class: "check" },
    el("input", {
      type: "checkbox", role: "switch",
      onchange: async (e) => { if (!await send("POST", "/api/oncall", { user: o.user, service: o.service, on: e.target.checked })) e.target.checked = !e.target.checked; },
    }), el("span", {}, o.name, " ", el("span", { class: "muted" }, o.service_name)))),
  (li, o) => { li.querySelector("input").checked = o.on; });
}
