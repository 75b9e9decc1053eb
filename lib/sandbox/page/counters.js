// What is lost, doubled and stale, as the sandbox has counted it.
import { byId } from "./dom.js";

const names = ["expected", "in_place", "lost", "doubled", "stale"];

export const wrong = (tally) => (tally ? tally.lost + tally.doubled + tally.stale + tally.stray : 0);

export function update(tally) {
  const total = tally.total;
  for (const name of names) {
    const node = byId("count-" + name);
    // What stands where nobody expects it is one too many.
    const n = name === "doubled" ? total.doubled + total.stray : total[name];
    node.textContent = n.toLocaleString("en");
    node.parentElement.classList.toggle("off", name !== "expected" && name !== "in_place" && n > 0);
  }
  byId("counters").title = total.details.join("\n") || "Everything is in place.";
  byId("counters").classList.toggle("clean", wrong(total) === 0);
  const says = wrong(total) === 0 ? "Every message is in place." : "Not every message is in place yet.";
  if (byId("verdict").textContent !== says) byId("verdict").textContent = says;
}
