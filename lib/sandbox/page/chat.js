// The panel of a service: its channels, the messages of the chosen one, replies under
// what they reply to, and what is wrong there.
import { ask, once } from "./api.js";
import { wrong } from "./counters.js";
import { clock, el, flash, keyed } from "./dom.js";
import { glyph } from "./glyphs.js";
import { pieces } from "./pieces.js";
import { switches } from "./switches.js";

// How many messages of a channel are shown.
const most = 30;
const signs = { public: "#", dm: "@", group_dm: "@" };

export class Chat {
  constructor(name, { title, accent, side }) {
    this.name = name;
    this.title = title;
    this.read = new Map();
    this.chosen = "";
    this.byHand = false;
    this.channels = el("ul", { class: "channels plain", "aria-label": title + " channels" });
    this.head = el("div", { class: "chat-head" });
    this.person = el("select", { "aria-label": "Who presses buttons in " + title });
    this.whispers = new Map();
    this.list = el("ol", { class: "messages plain", "aria-label": "Messages", tabIndex: 0 });
    this.none = el("p", { class: "empty" }, "Nothing has been posted here.");
    this.switches = el("ul", { class: "rota plain" });
    this.rota = el("details", { hidden: true }, el("summary", {}, "Switches"), this.switches);
    this.tally = el("span", { class: "tally" });
    this.node = el("section", { class: "chat", "aria-label": title },
      el("div", { class: "brand" }, el("strong", {}, title), this.tally),
      el("nav", { "aria-label": title + " channels" }, this.channels),
      el("div", { class: "chat-main" }, this.head, this.rota, this.list, this.none));
    this.node.style.setProperty("--brand", accent);
    this.node.style.setProperty("--side", side);
  }

  // update shows a new state; visible says whether somebody is looking.
  update(state, visible) {
    this.state = state;
    this.people = state.people || {};
    this.fillPersons(state.users || []);
    const old = this.chosen;
    const channels = state.channels || [];
    const live = (c) => c.messages.filter((m) => !m.deleted).length;
    const chosen = channels.find((c) => c.id === this.chosen);
    // Until the reader chooses, show where something is said.
    if (!chosen || (!this.byHand && live(chosen) === 0)) this.chosen = (channels.find(live) || channels[0])?.id || "";
    if (visible && this.chosen) this.read.set(this.chosen, this.weight(channels.find((c) => c.id === this.chosen)));
    this.rota.hidden = !state.switches?.length;
    this.fillChannels(channels);
    this.fillMessages(channels.find((c) => c.id === this.chosen), old !== this.chosen);
    switches(this.switches, this.name, state.switches);
    this.fillTally(state.tally);
  }

  // fillTally shows what is wrong here, in numbers that the sandbox has counted.
  fillTally(tally) {
    if (!tally) return;
    const bad = ["lost", "doubled", "stale"].filter((k) => tally[k] > 0).map((k) => tally[k] + " " + k);
    if (tally.stray > 0) bad.push(tally.stray + " astray");
    this.tally.textContent = bad.join(", ") || tally.in_place + " in place";
    this.tally.classList.toggle("off", wrong(tally) > 0);
    this.tally.title = tally.details.join("\n");
  }

  // toEnd goes to the newest message.
  toEnd() { this.list.scrollTop = this.list.scrollHeight; }

  // unread is how many things happened where nobody looked.
  unread() {
    return (this.state?.channels || []).reduce((n, c) => n + Math.max(0, this.weight(c) - (this.read.get(c.id) || 0)), 0);
  }

  weight(channel) { return channel ? channel.messages.length : 0; }

  choose(id) {
    this.chosen = id;
    this.byHand = true;
    this.list.replaceChildren();
    this.update(this.state, true);
    this.onread?.();
  }

  fillChannels(channels) {
    const items = channels.filter((c) => c.kind !== "dm" || this.weight(c) > 0).map((c) => ({
      id: c.id, kind: c.kind, name: c.name || c.user, chosen: c.id === this.chosen,
      unread: Math.max(0, this.weight(c) - (this.read.get(c.id) || 0)),
    }));
    const order = items.filter((c) => c.kind !== "dm").concat(items.filter((c) => c.kind === "dm"));
    keyed(this.channels, order, (c) => c.id, (c) => el("li", {}, el("button", { type: "button", onclick: () => this.choose(c.id) })), (node, c) => {
      const button = node.firstChild;
      button.replaceChildren(el("span", { class: "sign", "aria-hidden": "true" }, sign(c)), el("span", { class: "name" }, c.name),
        c.unread > 0 ? el("span", { class: "badge", "aria-label": c.unread + " unread" }, c.unread) : "");
      button.setAttribute("aria-current", c.chosen ? "true" : "false");
    });
  }

  fillMessages(channel, changed) {
    const all = (channel?.messages || []).filter((m) => !m.deleted);
    const heads = new Set(all.map((m) => m.id));
    // A reply whose message is too old to be here is left out with it.
    const messages = all.filter((m) => !m.thread || heads.has(m.thread)).slice(-most);
    this.none.hidden = messages.length > 0;
    // Where no message has ever had a button there is nobody to press one.
    this.pressable ||= messages.slice(-3).some((m) => /"id":"(approve|deny)/.test(JSON.stringify(m.body)));
    this.head.hidden = !this.pressable;
    if (this.pressable && !this.person.isConnected) this.head.replaceChildren(el("label", { class: "who muted" }, "You are ", this.person));
    const atEnd = changed || this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    if (changed) this.list.replaceChildren();
    const known = new Set(messages.map((m) => m.id));
    const items = messages.filter((m) => !m.thread || !known.has(m.thread))
      .map((m) => ({ ...m, replies: messages.filter((r) => r.thread === m.id) }));
    keyed(this.list, items, (m) => m.id, (m) => this.make(m), (node, m, again) => this.fill(node, m, again));
    if (atEnd) this.toEnd();
  }

  make() { return el("li", { class: "message" }, el("div", { class: "own" }), el("ol", { class: "replies plain" })); }

  fill(node, m, again) {
    const [own, replies] = node.children;
    const { replies: list, ...alone } = m;
    const seen = JSON.stringify(alone);
    if (own.seen !== seen) {
      own.replaceChildren(...this.content(m));
      if (again && own.seen !== undefined) flash(own);
      own.seen = seen;
    }
    keyed(replies, list, (r) => r.id, () => el("li", { class: "message" }), (n, r) => n.replaceChildren(...this.content(r)));
    replies.hidden = list.length === 0;
  }

  content(m) {
    return [
      el("div", { class: "avatar", "aria-hidden": "true" }, (m.author || "?")[0].toUpperCase()),
      el("div", { class: "said" },
        el("div", { class: "by" }, el("strong", {}, m.author || "unknown"), el("span", { class: "app" }, "APP"), clock(m.created),
          m.status && el("span", { class: "state " + m.status }, m.status),
          m.edited && el("span", { class: "muted edited" }, "(edited)"),
          m.mentions?.length > 0 && el("span", { class: "pinged", title: "This message notified them" }, "pings " + m.mentions.map((u) => this.people[u] || u).join(", "))),
        pieces(m.body, this.people, m.request && ((verdict) => once(() => this.press(m, verdict)))),
        (this.whispers.get(m.id) || []).map((w) => el("div", { class: "whisper" }, el("span", { class: "muted" }, "Only visible to " + w.person), el("div", {}, w.text)))),
    ].flat();
  }

  fillPersons(users) {
    if (this.person.options.length > 0) return;
    this.person.append(...users.map((u) => el("option", { value: u }, u)));
    this.person.value = users[1] || users[0] || "";
  }

  // press has the chosen person press a button, and shows what that person alone sees.
  async press(m, verdict) {
    const person = this.person.value;
    const answer = await ask("POST", "/api/press", { service: this.name, person, request: m.request, verdict, reason: "pressed on the page" });
    if (!answer) return;
    this.whispers.set(m.id, (this.whispers.get(m.id) || []).concat((answer.saw || []).map((text) => ({ person, text }))));
    this.list.replaceChildren();
    this.update(this.state, true);
  }
}

const sign = (c) => (c.kind === "private" ? glyph("lock") : signs[c.kind] || "\u2022");
