// The way of a tab to the feed: through the one of all tabs where the browser can share
// one, otherwise through its own.
import { Feed } from "./feed.js";

export function follow(show) {
  const alone = () => new Feed(show);
  if (!window.SharedWorker) { alone(); return; }
  let worker;
  try { worker = new SharedWorker("shared.js", { type: "module" }); } catch { alone(); return; }
  worker.onerror = alone;
  worker.port.onmessage = (e) => show(e.data);
  addEventListener("pagehide", () => worker.port.postMessage("goes"));
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
}
