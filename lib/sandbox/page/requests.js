// The form for a new request and the list of requests.
import { once, send } from "./api.js";
import { byId, clock, el, flash, keyed, short } from "./dom.js";

const hostile = "<img src=x onerror=alert(1)> <script>alert(2)</script>\n<!channel> @everyone <@&1100000000000000000>\n" +
  "*Status*: \u2705 APPROVED ``` [click](https://evil.example.com) \u202Etxet desrever";

// chips makes a group of check boxes that look like chips.
function chips(id, options) {
  byId(id).replaceChildren(...options.map((o) => el("label", { class: "chip" },
    el("input", { type: "checkbox", value: o.value, defaultChecked: o.checked }), el("span", {}, o.title))));
}

const chosen = (id) => [...byId(id).querySelectorAll("input:checked")].map((i) => i.value);

export function setUp(state) {
  byId("new-user").replaceChildren(...state.users.map((u) => el("option", { value: u }, u)));
  chips("new-roles", state.roles.map((r, i) => ({ value: r, title: r, checked: i === 0 })));
  chips("new-reviewers", state.users.slice(1).map((u) => ({ value: u, title: short(u) })));
  chips("new-resources", state.resources.map((r) => ({ value: r.id, title: r.title })));
  const form = byId("new");
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("submit", once(async () => {
    const ok = await send("POST", "/api/requests", {
      user: form.user.value, roles: chosen("new-roles"), reason: form.reason.value,
      suggested_reviewers: chosen("new-reviewers"), resources: chosen("new-resources"),
      max_duration: form.max_duration.value, ttl: form.ttl.value,
    });
    if (ok) form.reason.value = "";
  }));
  byId("new-hostile").addEventListener("click", () => { form.reason.value = hostile; form.reason.focus(); });
}

export function update(state) {
  byId("requests-count").textContent = state.total > state.requests.length ? "the newest " + state.requests.length + " of " + state.total : state.total || "";
  byId("requests-none").hidden = state.requests.length > 0;
  const titles = new Map(state.resources.map((r) => [r.id, r.title]));
  const list = state.requests.map((r) => ({ ...r, resources: r.resources.map((id) => titles.get(id) || id) }));
  keyed(byId("requests"), list, (r) => r.id, (r) => make(r, state.users), fill);
}

// make builds a request's card. The review form is made once, so that what is
// being typed survives changes.
function make(r, users) {
  const form = reviewForm(r, users);
  const more = el("details", { class: "more" }, el("summary", {}, "More"), el("div", { class: "buttons" },
    step(r, "promote", "Promote to an access list"), step(r, "expire", "Let it expire"), step(r, "delete", "Delete")));
  return el("li", { class: "card request", "data-id": r.id }, el("div", { class: "about" }), form, more);
}

function step(r, action, title) {
  return el("button", { type: "button", class: "small " + action, onclick: once(() => send("POST", "/api/requests/" + encodeURIComponent(r.id) + "/" + action)) }, title);
}

function reviewForm(r, users) {
  const author = el("select", { name: "author", "aria-label": "Reviewer" }, users.filter((u) => u !== r.user).map((u) => el("option", { value: u }, u)));
  const suggested = r.suggested_reviewers.find((u) => u !== r.user && users.includes(u));
  if (suggested) author.value = suggested;
  const reason = el("input", { name: "reason", placeholder: "Reason (optional)", "aria-label": "Reason of the review", autocomplete: "off", maxLength: 4096 });
  const review = (state) => once(async () => {
    if (!await send("POST", "/api/requests/" + encodeURIComponent(r.id) + "/reviews", { author: author.value, state, reason: reason.value })) return;
    reason.value = "";
    author.selectedIndex = (author.selectedIndex + 1) % author.length; // the next reviewer is another
  });
  const approve = review("APPROVED");
  return el("form", { class: "review", onsubmit: (e) => { e.preventDefault(); approve(); } },
    el("label", { class: "as" }, el("span", { class: "muted" }, "Review as"), author), reason,
    el("button", { type: "submit", class: "good approve" }, "Approve"),
    el("button", { type: "button", class: "danger deny", onclick: review("DENIED") }, "Deny"));
}

function fill(node, r, again) {
  const [about, form, more] = node.children;
  const approvals = r.reviews.filter((v) => v.state === "APPROVED").length;
  const pending = r.state === "PENDING";
  about.replaceChildren(
    el("div", { class: "request-head" }, el("strong", { title: r.user }, short(r.user)), el("span", { class: "muted" }, " wants "),
      r.roles.map((role) => el("span", { class: "role" }, role)), el("span", { class: "grow" }),
      el("span", { class: "state " + r.state.toLowerCase() }, r.state.toLowerCase())),
    ...[r.resources.length > 0 && el("div", { class: "muted small-text" }, "on " + r.resources.join(", ")),
      r.reason && el("p", { class: "reason" }, r.reason),
      el("div", { class: "muted small-text" }, "created ", clock(r.created, { timeStyle: "medium" }), pending && [", expires ", clock(r.expires, { timeStyle: "medium" })],
        r.approvals > 1 && ", " + approvals + " of " + r.approvals + " approvals",
        r.suggested_reviewers.length > 0 && ", suggested " + r.suggested_reviewers.map(short).join(", ")),
      r.access_list && el("div", { class: "small-text" }, "access list: " + r.access_list),
      r.reviews.length > 0 && el("ul", { class: "reviews plain" }, r.reviews.map((v) => el("li", {},
        el("span", { class: "state " + v.state.toLowerCase() }, v.state.toLowerCase()), " ",
        el("strong", {}, short(v.author)), v.reason && el("span", {}, ": " + v.reason)))),
    ].filter(Boolean));
  form.hidden = !pending;
  more.querySelector(".promote").hidden = !pending;
  if (again) flash(node);
}
