// Building and updating elements. Text only ever becomes text nodes, so what
// users wrote cannot become markup.

export const byId = (id) => document.getElementById(id);

// el makes an element. Properties that begin with "on" are listeners, "class"
// and those with a hyphen are attributes, the rest are set as properties.
export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "for" || key === "role" || key.includes("-")) node.setAttribute(key, value);
    else node[key] = value;
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

// link makes an outside link when the address is one of the web, otherwise it
// shows the text alone.
export function link(address, ...text) {
  let url;
  try { url = new URL(address); } catch { return el("span", {}, text); }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) return el("span", {}, text);
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, text);
}

// keyed makes the children of a list match the items. A child is made by make
// and filled again only when its item has changed.
export function keyed(list, items, key, make, fill) {
  const old = new Map([...list.children].map((c) => [c.dataset.key, c]));
  let at = null;
  for (const item of items) {
    const k = String(key(item));
    const seen = JSON.stringify(item);
    let node = old.get(k);
    if (!node) {
      node = make(item);
      node.dataset.key = k;
    }
    old.delete(k);
    if (node.seen !== seen) {
      fill(node, item, node.seen !== undefined);
      node.seen = seen;
    }
    const next = at ? at.nextSibling : list.firstChild;
    if (node !== next) list.insertBefore(node, next);
    at = node;
  }
  for (const gone of old.values()) gone.remove();
}

// flash draws the eye to a change.
export function flash(node) {
  node.classList.remove("flash");
  void node.offsetWidth; // lets the animation begin again
  node.classList.add("flash");
}

// clock shows a moment in the reader's time zone, with the whole of it as the
// title.
export function clock(time, options) {
  const t = new Date(time);
  return el("time", { dateTime: t.toISOString(), title: t.toLocaleString() },
    t.toLocaleTimeString([], options || { hour: "2-digit", minute: "2-digit" }));
}

// short is a person's name without the domain.
export const short = (user) => String(user).split("@")[0];

export function toast(sentence) {
  const node = el("div", { class: "toast" }, sentence);
  byId("toasts").append(node);
  setTimeout(() => node.remove(), 7000);
}
