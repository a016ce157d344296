// Requests to our own server: the session, what is asked for once, and commands.

import { state } from "./state.js";

const ROOT = "/api/v1";
const SECONDS = 10;

/** What the server refused, or that it could not be asked (`status` 0). */
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function ask(path, { method = "GET", body } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (method !== "GET" && state.session?.csrf) headers["X-CSRF-Token"] = state.session.csrf;
  let answer;
  try {
    answer = await fetch(ROOT + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", cache: "no-cache", signal: AbortSignal.timeout(SECONDS * 1000) });
  } catch {
    throw new Refusal(0, "the monitor does not answer");
  }
  const found = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refusal(answer.status, found?.detail || found?.title || `refused with ${answer.status}`);
  return found;
}

export const query = (path, parameters) => {
  const set = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `${path}?${new URLSearchParams(set)}` : path;
};

/** What is asked for again and again may fail: then what was known stays. Only a session that is over matters. */
export async function look(path, parameters = {}) {
  try {
    return await ask(query(path, parameters));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) signedOut();
    return null;
  }
}

let over = () => {};
export const onSignedOut = (listener) => { over = listener; };

export function signedOut() {
  state.session = null;
  over();
}

export async function currentSession() {
  try {
    state.session = await ask("/session");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status !== 401) throw error;
    state.session = null;
  }
  return state.session;
}

export async function signIn(token) {
  state.session = await ask("/session", { method: "POST", body: { token } });
}

export async function signOut() {
  await ask("/session", { method: "DELETE" });
  signedOut();
}

export const command = (name, { argument = "", reason = "", confirm = "" } = {}) =>
  ask("/commands", { method: "POST", body: { name, argument, reason, confirm, nonce: nonce() } });

/** Good for one command and for minutes: what is sent twice is refused. */
function nonce() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `${Math.round(state.serverNow())}-${Array.from(random, (one) => one.toString(16).padStart(2, "0")).join("")}`;
}

export const preview = (name, argument) => look("/commands/preview", { name, argument });
