// Messages of all services, from the pieces that they are made of.
import { el, link } from "./dom.js";
import { glyph, words } from "./glyphs.js";

const tags = {
  line: ["div", "text"], title: ["div", "text big"], small: ["div", "context"], row: ["div", "row"], card: ["div", "embed"], field: ["div", "field"],
  rule: ["hr"], bold: ["strong"], italic: ["em"], struck: ["s"], under: ["u"], code: ["code"], pre: ["pre"], mention: ["span", "mention"], named: ["span", "mention"],
};

// pieces shows them; press makes the listener of a button that decides, by its verdict.
export function pieces(nodes, people, press) { return (nodes || []).map((n) => piece(n, people, press)); }

function piece(n, people, press) {
  const inside = [words(n.text), pieces(n.nodes, people, press)];
  switch (n.kind) {
    case undefined: return inside;
    case "link": return link(n.href, inside);
    case "button": return button(n, inside, press);
    case "mention": return el("span", { class: "mention" }, people[n.href] ? "@" + people[n.href] : n.text);
    case "moment": return moment(n);
    case "title": return el("div", { class: "text big" }, n.href ? link(n.href, inside) : inside);
    case "field": return el("div", { class: "field" }, el("div", { class: "name" }, pieces(n.nodes.slice(0, 1), people)), el("div", { class: "text" }, pieces(n.nodes.slice(1), people)));
  }
  if (empty(n)) return null;
  const [tag, style] = tags[n.kind] || ["span"];
  const node = el(tag, { class: style }, inside);
  // The end of the line on which a block begins is no line of the block.
  if (n.kind === "pre" && node.firstChild.nodeType === Node.TEXT_NODE) node.firstChild.data = node.firstChild.data.replace(/^\n/, "");
  if (n.tone) node.style.setProperty("--bar", n.tone);
  return node;
}

const empty = (n) => n.kind !== "rule" && !n.text && !n.nodes?.length;

const verdict = (id) => ["approve", "deny"].find((v) => id?.startsWith(v));

function button(n, inside, press) {
  const style = "button " + (n.tone || "");
  if (press && verdict(n.id)) return el("button", { type: "button", class: style, onclick: press(verdict(n.id)) }, inside);
  if (!n.href) return el("span", { class: style }, inside);
  const node = link(n.href, inside, " ", glyph("out"));
  node.className = style;
  return node;
}

// moment is shown in the reader's time zone.
function moment(n) {
  const t = new Date(n.href);
  if (Number.isNaN(t.getTime())) return n.text;
  return el("time", { class: "stamp", dateTime: n.href, title: t.toLocaleString() }, t.toLocaleString([], { dateStyle: "long", timeStyle: "short" }));
}
