// The page: shows each new picture of the sandbox.
import { Chat } from "./chat.js";
import * as counters from "./counters.js";
import { wrong } from "./counters.js";
import { byId, el } from "./dom.js";
import * as faults from "./faults.js";
import { follow } from "./follow.js";
import * as plugins from "./plugins.js";
import * as requests from "./requests.js";
import * as scenes from "./scenes.js";
import * as timeline from "./timeline.js";

const chats = new Map();
// On a wide screen all services are seen side by side.
const wide = matchMedia("(min-width: 1700px)");
let tab = "";
let instance = "";

function setUpTabs(state) {
  for (const name of state.order) {
    const { title, accent } = state.services[name];
    const chat = new Chat(name, state.services[name]);
    chat.onread = fillTabs;
    chats.set(name, chat);
    const button = el("button", { type: "button", role: "tab", id: "tab-" + name, "aria-controls": "panel-" + name, onclick: () => show(name), onkeydown: arrow },
      title, el("span", { class: "badge", hidden: true }));
    button.style.setProperty("--brand", accent);
    byId("tabs").append(button);
    byId("panels").append(el("div", { role: "tabpanel", id: "panel-" + name, "aria-label": title, class: "panel" }, chat.node));
  }
  wide.addEventListener("change", () => show(tab));
  show(state.order.includes(location.hash.slice(1)) ? location.hash.slice(1) : state.order[0]);
}

function arrow(e) {
  const names = [...chats.keys()];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
  if (!step) return;
  e.preventDefault();
  show(names[(names.indexOf(tab) + step + names.length) % names.length]);
  byId("tab-" + tab).focus();
}

const seen = (name) => (wide.matches || name === tab) && !document.hidden;

function show(name) {
  tab = name;
  history.replaceState(null, "", "#" + name);
  for (const [n, chat] of chats) {
    const on = n === name;
    byId("tab-" + n).setAttribute("aria-selected", String(on));
    byId("tab-" + n).tabIndex = on ? 0 : -1;
    byId("panel-" + n).hidden = !on && !wide.matches;
    if (seen(n) && chat.state) {
      chat.update(chat.state, true);
      chat.toEnd();
    }
  }
  scenes.choose(name);
  fillTabs();
}

// fillTabs shows on each tab what is wrong there, or else what nobody has read.
function fillTabs() {
  for (const [name, chat] of chats) {
    const badge = byId("tab-" + name).querySelector(".badge");
    const bad = wrong(chat.state?.tally);
    const unread = chat.unread();
    badge.hidden = bad + unread === 0;
    badge.classList.toggle("unread", bad === 0);
    badge.textContent = bad > 99 ? "99+" : bad || "";
    badge.ariaLabel = badge.title = bad > 0 ? bad + " lost, doubled or stale" : unread + " unread";
    badge.role = "img";
  }
}

function setUp(state) {
  instance = state.instance;
  requests.setUp(state);
  plugins.setUp();
  timeline.setUp();
  faults.setUp(state.order.map((name) => [name, state.services[name].title]));
  scenes.setUp(state, show);
  setUpTabs(state);
}

function apply({ state, tally, faults: inForce, story }) {
  if (!instance) setUp(state);
  if (state.instance !== instance) { location.reload(); return; }
  counters.update(tally);
  requests.update(state);
  plugins.update(state.plugins);
  scenes.update(state);
  for (const [name, chat] of chats) chat.update({ ...state.services[name], users: state.users, tally: tally.services[name] }, seen(name));
  fillTabs();
  faults.update(inForce);
  timeline.update(story);
}

let picture = { live: false };
let drawn = true;

// draw shows the newest picture, at most once for each frame, and only to somebody who looks.
function draw() {
  drawn = true;
  const { live } = picture;
  byId("live").textContent = live ? "live" : "not connected";
  byId("live").classList.toggle("on", live);
  byId("gone").hidden = live || !instance;
  if (picture.state) apply(picture);
}

follow((news) => {
  picture = news;
  if (drawn && !document.hidden) requestAnimationFrame(draw);
  drawn = false;
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !drawn) requestAnimationFrame(draw); });
