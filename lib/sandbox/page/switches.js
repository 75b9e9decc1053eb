// What people can switch at a service, in groups.
import { send } from "./api.js";
import { el, keyed } from "./dom.js";

export function switches(node, service, list) {
  const groups = new Map();
  for (const s of list || []) groups.set(s.group, [...(groups.get(s.group) || []), s]);
  keyed(node, [...groups], ([group]) => group, ([group]) => el("li", { class: "shift" }, el("div", { class: "muted" }, group), el("ul", { class: "plain" })),
    (li, [, members]) => keyed(li.lastChild, members, (s) => s.id, (s) => el("li", {}, toggle(service, s)), (item, s) => { item.querySelector("input").checked = s.on; }));
}

function toggle(service, s) {
  const change = async (e) => {
    const on = e.target.checked;
    if (!await send("POST", "/api/switches", { service, switch: s.id, on })) e.target.checked = !on;
  };
  return el("label", { class: "check" }, el("input", { type: "checkbox", role: "switch", "aria-label": s.label, onchange: change }), s.title);
}
