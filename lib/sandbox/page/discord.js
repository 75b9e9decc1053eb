// Messages as Discord shows them.
import { el, link } from "./dom.js";

// One step of Discord's markdown.
const step = new RegExp([
  "\\\\([^\\p{L}\\p{N}\\s])", // 1 escaped sign
  "```(?:[a-z0-9]*\\n)?([\\s\\S]+?)```\\n?", // 2 block of code
  "(`+)([\\s\\S]*?[^`])\\3(?!`)", // 3, 4 code
  "<t:(-?\\d+)(?::([tTdDfFR]))?>", // 5, 6 moment
  "<(@[!&]?|#)(\\d+)>", // 7, 8 mention
  "\\[([^\\]\\n]+)\\]\\(<?(https?:[^\\s)>]+)>?\\)", // 9, 10 link
  "(https?:\\/\\/[^\\s<>]+[^\\s<>.,:;\"')\\]])", // 11 address
  "\\*\\*([\\s\\S]+?)\\*\\*(?!\\*)", // 12 bold
  "__([\\s\\S]+?)__(?!_)", // 13 underlined
  "~~([\\s\\S]+?)~~", // 14 struck out
  "\\*(?=\\S)([^*\\n]*?\\S)\\*(?!\\*)", // 15 italic
  "(?<![\\p{L}\\p{N}_])_([^_\\n]+)_(?![\\p{L}\\p{N}_])", // 16 italic
].join("|"), "gu");

export function markdown(text, users) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(step)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    at = m.index + m[0].length;
    out.push(piece(m, users));
  }
  out.push(text.slice(at));
  return out;
}

function piece(m, users) {
  const inside = (tag, i) => el(tag, {}, markdown(m[i], users));
  if (m[1] !== undefined) return m[1];
  if (m[2] !== undefined) return el("pre", {}, m[2]);
  if (m[4] !== undefined) return el("code", {}, m[4].trim() || m[4]);
  if (m[5] !== undefined) return moment(Number(m[5]), m[6] || "f");
  if (m[8] !== undefined) return el("span", { class: "mention" }, m[7].replace(/[!&]/, "") + (users[m[8]] || m[8]));
  if (m[10] !== undefined) return link(m[10], markdown(m[9], users));
  if (m[11] !== undefined) return link(m[11], m[11]);
  if (m[12] !== undefined) return inside("strong", 12);
  if (m[13] !== undefined) return inside("u", 13);
  if (m[14] !== undefined) return inside("s", 14);
  return inside("em", m[15] !== undefined ? 15 : 16);
}

const moments = {
  t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" },
};

// moment is shown in the reader's time zone.
function moment(seconds, style) {
  const t = new Date(seconds * 1000);
  if (Number.isNaN(t.getTime())) return "Invalid date";
  const text = style === "R" ? relative(t) : t.toLocaleString([], moments[style]);
  return el("time", { class: "stamp", dateTime: t.toISOString(), title: t.toLocaleString() }, text);
}

function relative(t) {
  const seconds = (t - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return new Intl.RelativeTimeFormat("en").format(Math.round(seconds / size), unit);
  }
  return new Intl.RelativeTimeFormat("en").format(Math.round(seconds), "second");
}

export function body(raw, users) {
  return [
    raw?.content && el("div", { class: "text" }, markdown(raw.content, users)),
    (raw?.embeds || []).map((e) => embed(e, users)),
    (raw?.components || []).map((r) => row(r)),
  ];
}

function embed(e, users) {
  const node = el("div", { class: "embed" },
    e.author?.name && el("div", { class: "embed-author" }, e.author.name),
    e.title && el("div", { class: "embed-title" }, e.url ? link(e.url, markdown(e.title, users)) : markdown(e.title, users)),
    e.description && el("div", { class: "text" }, markdown(e.description, users)),
    e.fields?.length > 0 && el("div", { class: "embed-fields" }, e.fields.map((f) =>
      el("div", { class: f.inline ? "inline" : "" }, el("div", { class: "embed-name" }, markdown(f.name || "", users)),
        el("div", { class: "text" }, markdown(f.value || "", users))))),
    (e.footer?.text || e.timestamp) && el("div", { class: "embed-footer" },
      [e.footer?.text, e.timestamp && new Date(e.timestamp).toLocaleString([], { dateStyle: "short", timeStyle: "short" })].filter(Boolean).join(" • ")));
  if (Number.isInteger(e.color)) node.style.setProperty("--bar", "#" + e.color.toString(16).padStart(6, "0"));
  return node;
}

const buttonStyles = { 1: "primary", 3: "good", 4: "danger" };

function row(r) {
  if (r.type === 1) return el("div", { class: "row" }, (r.components || []).map(row));
  if (r.type !== 2) return null;
  const style = "button " + (buttonStyles[r.style] || "");
  if (!r.url) return el("span", { class: style }, r.label);
  const node = link(r.url, r.label, " ↗");
  node.className = style;
  return node;
}
