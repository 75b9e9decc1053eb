// Messages as Slack shows them.
import { el, link } from "./dom.js";

const decode = (s) => s.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

const marks = { "*": "strong", _: "em", "~": "s" };

// One step of mrkdwn: a block of code, code, a sequence in angle brackets, or
// a stretch between marks that stand at the borders of words.
const step = /```([\s\S]+?)```\n?|`([^`\n]+)`|<([^<>]+)>|(?<![\p{L}\p{N}])([*_~])(?=\S)([^\n]*?\S)\4(?![\p{L}\p{N}])/gu;

export function mrkdwn(text, users) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(step)) {
    if (m.index > at) out.push(decode(text.slice(at, m.index)));
    at = m.index + m[0].length;
    if (m[1] !== undefined) out.push(el("pre", {}, decode(m[1].replace(/^\n/, ""))));
    else if (m[2] !== undefined) out.push(el("code", {}, decode(m[2])));
    else if (m[3] !== undefined) out.push(sequence(m[3], users));
    else out.push(el(marks[m[4]], {}, mrkdwn(m[5], users)));
  }
  out.push(decode(text.slice(at)));
  return out;
}

// sequence shows what stands between angle brackets.
function sequence(inner, users) {
  const bar = inner.indexOf("|");
  const body = decode(bar < 0 ? inner : inner.slice(0, bar));
  const label = bar < 0 ? "" : decode(inner.slice(bar + 1));
  const mention = (name) => el("span", { class: "mention" }, "@" + name);
  if (body.startsWith("@")) return mention(users[body.slice(1)] || label || body.slice(1));
  if (body.startsWith("#")) return el("span", { class: "mention" }, "#" + (label || body.slice(1)));
  if (body.startsWith("!date^")) return date(body, label);
  if (body.startsWith("!subteam^")) return mention(label || body.slice(9));
  if (body.startsWith("!")) return mention(body.slice(1));
  return link(body, label || body);
}

// date shows a moment in the reader's time zone.
function date(body, fallback) {
  const [, seconds, form, target] = body.split("^");
  const t = new Date(Number(seconds) * 1000);
  if (!form || Number.isNaN(t.getTime())) return fallback;
  const text = form.replace(/\{(\w+)\}/g, (whole, token) => dateToken(token, t) ?? whole);
  const node = el("time", { dateTime: t.toISOString(), title: t.toLocaleString() }, text);
  return target ? link(target, node) : node;
}

function dateToken(token, t) {
  const day = (options) => (token.endsWith("_pretty") && nearDay(t)) || t.toLocaleDateString("en-US", options);
  switch (token) {
    case "date_num": return t.toLocaleDateString("sv-SE");
    case "date_slash": return t.toLocaleDateString("en-US");
    case "date": case "date_pretty": return day({ month: "long", day: "numeric", year: "numeric" });
    case "date_short": case "date_short_pretty": return day({ month: "short", day: "numeric", year: "numeric" });
    case "date_long": case "date_long_pretty": return day({ weekday: "long", month: "long", day: "numeric", year: "numeric" });
    case "time": return t.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    case "time_secs": return t.toLocaleTimeString();
    default: return null;
  }
}

function nearDay(t) {
  const days = Math.round((new Date(t).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

// body shows a message: its blocks, or its text when there are none.
export function body(raw, users) {
  if (!raw || !Array.isArray(raw.blocks) || raw.blocks.length === 0) return [el("div", { class: "text" }, mrkdwn(raw?.text || "", users))];
  return raw.blocks.map((b) => block(b, users));
}

function block(b, users) {
  switch (b.type) {
    case "divider": return el("hr");
    case "header": return el("div", { class: "text big" }, b.text?.text);
    case "context": return el("div", { class: "context" }, (b.elements || []).map((e) => el("span", {}, text(e, users))));
    case "actions": return el("div", { class: "row" }, (b.elements || []).map((e) => button(e)));
    case "rich_text": return el("div", { class: "text" }, (b.elements || []).map((e) => rich(e, users)));
    default:
      return el("div", { class: "text" }, text(b.text, users),
        b.fields && el("div", { class: "fields" }, b.fields.map((f) => el("div", {}, text(f, users)))),
        b.accessory && button(b.accessory));
  }
}

function text(object, users) {
  if (!object) return null;
  if (object.type === "mrkdwn") return mrkdwn(object.text || "", users);
  return typeof object === "string" ? object : object.text || object.alt_text || "";
}

function button(e) {
  if (e.type !== "button") return e.alt_text || null;
  const label = e.text?.text || "";
  const style = "button " + (e.style || "");
  if (!e.url) return el("span", { class: style }, label);
  const node = link(e.url, label);
  node.className = style;
  return node;
}

function rich(e, users) {
  const inside = () => (e.elements || []).map((x) => rich(x, users));
  switch (e.type) {
    case "text": return e.style?.code ? el("code", {}, e.text) : e.style?.bold ? el("strong", {}, e.text) : e.text;
    case "link": return link(e.url, e.text || e.url);
    case "user": return el("span", { class: "mention" }, "@" + (users[e.user_id] || e.user_id));
    case "broadcast": return el("span", { class: "mention" }, "@" + e.range);
    case "emoji": return ":" + e.name + ":";
    case "rich_text_preformatted": return el("pre", {}, inside());
    case "rich_text_list": return el("ul", {}, (e.elements || []).map((x) => el("li", {}, rich(x, users))));
    default: return el("div", {}, inside());
  }
}
