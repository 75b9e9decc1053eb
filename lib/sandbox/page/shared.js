// One feed for all tabs: a browser opens only a few connections to one address, and each
// stream of events takes one.
import { Feed } from "./feed.js";

const tabs = new Set();
const feed = new Feed((picture) => { for (const tab of tabs) tab.postMessage(picture); });

self.onconnect = (e) => {
  const tab = e.ports[0];
  tabs.add(tab);
  tab.onmessage = () => tabs.delete(tab); // a tab says one thing: that it goes
  tab.postMessage(feed.picture);
};
