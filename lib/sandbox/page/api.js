// Calls of the sandbox's API.
import { toast } from "./dom.js";

// A second click within this time is one too many, in milliseconds.
const pause = 600;

async function call(method, path, body) {
  const options = { method };
  if (method === "POST") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body || {});
  }
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Error("The sandbox does not answer."); }
  if (answer.status === 204 || answer.status === 202) return null;
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

export const get = (path) => call("GET", path);

// ask does something and returns the answer, or shows what went wrong.
export async function ask(method, path, body) {
  try {
    return await call(method, path, body);
  } catch (err) {
    toast(err.message);
    return null;
  }
}

// send does something and shows what went wrong; it tells whether it worked.
export async function send(method, path, body) {
  try {
    await call(method, path, body);
    return true;
  } catch (err) {
    toast(err.message);
    return false;
  }
}

// once makes a listener that does nothing while it is at work, and a moment after: a
// double click asks once.
export function once(act) {
  let busy = false;
  return async (e) => {
    e?.preventDefault?.();
    if (busy) return;
    busy = true;
    const began = performance.now();
    try {
      await act(e);
    } finally {
      setTimeout(() => { busy = false; }, Math.max(0, pause - (performance.now() - began)));
    }
  };
}
