// What happens in the sandbox, from one stream of events. A feed asks for the news after
// each event, and passes on the whole picture.
import { get } from "./api.js";

// Least and most time between two questions, in milliseconds, and how many times as long
// as the answers took it is: a busy sandbox has better things to do.
const pause = 250;
const longest = 5000;
const share = 3;
// How many messages of a channel, requests, and entries of the story are kept.
const shown = 30;
const entries = 400;

export class Feed {
  // publish is called with each new picture.
  constructor(publish) {
    this.publish = publish;
    this.picture = { live: false };
    this.story = new Map();
    this.rev = 0;
    this.listen();
  }

  listen() {
    const events = new EventSource("/api/events");
    events.onmessage = () => this.refresh();
    events.onerror = () => {
      this.pass({ live: false });
      if (events.readyState === EventSource.CLOSED) setTimeout(() => this.listen(), 1000);
    };
  }

  pass(news) {
    this.picture = { ...this.picture, ...news };
    this.publish(this.picture);
  }

  // refresh asks for the news; when something changes meanwhile, once more.
  async refresh() {
    if (this.asking) { this.again = true; return; }
    this.asking = true;
    do {
      this.again = false;
      const began = performance.now();
      try { await this.ask(); } catch { this.pass({ live: false }); }
      await new Promise((done) => setTimeout(done, Math.min(longest, Math.max(pause, share * (performance.now() - began)))));
    } while (this.again);
    this.asking = false;
  }

  async ask() {
    const [state, tally, faults, news] = await Promise.all([
      get("/api/state?limit=" + shown), get("/api/tally"), get("/api/faults"), get("/api/story?after=" + this.rev)]);
    if (state.instance !== this.picture.state?.instance && this.picture.state) {
      this.story.clear(); // Another sandbox has taken the place of the one before.
      this.rev = 0;
      this.again = true;
    } else {
      this.rev = news.rev;
      for (const e of news.entries) this.story.set(e.id, e);
      for (const id of this.story.keys()) {
        if (this.story.size <= entries) break;
        this.story.delete(id);
      }
    }
    this.pass({ live: true, state, tally, faults, story: [...this.story.values()] });
  }
}
