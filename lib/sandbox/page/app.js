// The page: asks for the state whenever the sandbox tells of a change.
import { get } from "./api.js";
import { Chat } from "./chat.js";
import { el, keyed } from "./dom.js";
import * as faults from "./faults.js";
import * as requests from "./requests.js";

const byId = (id) => document.getElementById(id);

const chats = new Map();
let tab = "";

function setUpTabs(state) {
  const names = state.order;
  for (const name of names) {
    const { title, accent } = state.services[name];
    const chat = new Chat(name, state.services[name]);
    const dot = el("span", { class: "dot", "aria-hidden": "true" });
    dot.style.setProperty("--brand", accent);
    chat.onread = fillTabs;
    chats.set(name, chat);
    byId("tabs").append(el("button", { type: "button", role: "tab", id: "tab-" + name, "aria-controls": "panel-" + name, onclick: () => show(name), onkeydown: arrow },
      dot, title, el("span", { class: "badge", hidden: true })));
    byId("panels").append(el("div", { role: "tabpanel", id: "panel-" + name, "aria-labelledby": "tab-" + name }, chat.node));
  }
  show(names.includes(location.hash.slice(1)) ? location.hash.slice(1) : names[0]);
}

function arrow(e) {
  const names = [...chats.keys()];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
  if (!step) return;
  show(names[(names.indexOf(tab) + step + names.length) % names.length]);
  byId("tab-" + tab).focus();
}

function show(name) {
  tab = name;
  history.replaceState(null, "", "#" + name);
  for (const [n, chat] of chats) {
    const on = n === name;
    byId("tab-" + n).setAttribute("aria-selected", String(on));
    byId("tab-" + n).tabIndex = on ? 0 : -1;
    byId("panel-" + n).hidden = !on;
    if (on && chat.state) {
      chat.update(chat.state, true);
      chat.list.scrollTop = chat.list.scrollHeight;
    }
  }
  fillTabs();
}

function fillTabs() {
  for (const [name, chat] of chats) {
    const badge = byId("tab-" + name).querySelector(".badge");
    const n = chat.unread();
    badge.hidden = n === 0;
    badge.textContent = n;
  }
}

function fillPlugins(list) {
  keyed(byId("plugins"), list, (p) => p.name, () => el("li", {}), (node, p) => {
    node.className = "pill " + (p.pid ? "up" : "down");
    node.title = p.pid ? "PID " + p.pid + (p.starts > 1 ? ", started " + p.starts + " times" : "") : "not running: " + (p.last_error || "");
    node.textContent = p.name + (p.pid ? "" : " is down");
  });
}

function apply(state) {
  if (!tab) {
    byId("cluster").textContent = state.cluster;
    requests.setUp(state);
    setUpTabs(state);
    faults.setUp([...chats.keys()]);
  }
  requests.update(state);
  fillPlugins(state.plugins);
  for (const [name, chat] of chats) chat.update({ ...state.services[name], users: state.users }, name === tab && !document.hidden);
  fillTabs();
  faults.update(state.plugins);
}

let asking = false;
let again = false;

// refresh asks for the state; when it changes meanwhile, once more.
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    do {
      again = false;
      apply(await get("/api/state"));
    } while (again);
  } catch (err) {
    console.error(err);
  } finally {
    asking = false;
  }
}

function live(on) {
  byId("live").textContent = on ? "live" : "not connected";
  byId("live").classList.toggle("on", on);
}

const events = new EventSource("/api/events");
events.onopen = () => live(true);
events.onerror = () => live(false);
events.onmessage = refresh;
