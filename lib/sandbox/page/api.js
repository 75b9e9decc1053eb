// Calls of the sandbox's API.
import { toast } from "./dom.js";

async function call(method, path, body) {
  const options = { method };
  if (method === "POST") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body || {});
  }
  const answer = await fetch(path, options);
  if (answer.status === 204) return null;
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
