// The header: what runs, whether it trades and why not, how hot it is, and how fresh this page is.

import { $, hide, mark, say } from "./dom.js";
import { isReplay, mayOperate, state } from "./state.js";
import { leg as legName, money, percent, plural, span, tone } from "./words.js";

const TOP_BP = 1200;
const TONES = { RUNNING: "good", PAUSED: "warn", HALTED: "bad", STOPPING: "warn" };
const OVER = new Set(["COMPLETED", "INVALIDATED", "EXPIRED"]);
const NAMED = 4;
const ZONES = { NORMAL: "good", WARNING: "warn", CRITICAL: "hot", EXCEEDED: "bad" };

export function draw() {
  identity();
  standing();
  heat();
  figures();
  kill();
  hide($("pause"), state.status === null);
  // A recorded session has no operator: only its pace obeys.
  hide($("kill"), state.status === null || isReplay());
  const may = mayOperate();
  for (const id of ["pause", "kill", "unkill"]) {
    $(id).disabled = !may;
    mark($(id), "title", may || !state.session ? "" : "This session may read, not operate");
  }
  say($("pause"), isPaused() ? "Resume…" : "Pause…");
  title();
}

export const isPaused = () => Boolean(state.status?.paused_by) || state.status?.state === "PAUSED";

const modeWord = () => (state.mode === "backtest" ? "replay" : state.mode || state.hello?.mode || "").toUpperCase();

function identity() {
  const { status, hello } = state;
  mark(document.body, "data-mode", modeWord().toLowerCase());
  mark(document.body, "data-engine", status === null && isReplay() ? "no" : "yes");
  say($("mode"), modeWord() || "…");
  const feed = status ? status.feed_is_simulated : hello?.simulated;
  const venue = status?.venue_is_simulated;
  hide($("simulated"), !feed && !venue);
  say($("simulated"), feed ? "simulated feed" : "simulated fills");
  mark($("simulated"), "data-loud", feed);
  mark($("simulated"), "title", feed ? "Prices come from a generator, not from a market" : "Prices are real; fills are computed, no order leaves");
  const run = state.run?.name ?? hello?.run;
  const isPaper = status !== null && status.account === status.venue;
  say($("account"), isPaper ? "Paper account" : status?.account || run || "–");
  mark($("account"), "title", status?.account ? "" : run);
  say($("venue"), status?.venue ? (isPaper ? "no order leaves" : ` at ${status.venue}`) : state.run ? `${state.run.started.slice(0, 10)} to ${state.run.ended?.slice(0, 10) ?? "now"}` : "");
}

/** Whether entries are possible, in words. */
function standing() {
  const { status, link } = state;
  let [word, why, colour] = ["CONNECTING", "", "wait"];
  if (status) {
    const reasons = status.blockers.map((one) => one.text);
    [word, why, colour] = [status.state, reasons.length ? `No entries: ${reasons.join("; ")}` : `Entries are possible; ${awaited()}`, TONES[status.state] ?? "wait"];
    if (isReplay() && isPaused()) why = "The replay is held before its next fact";
    if (link && link.state !== "CONNECTED") [why, colour] = [`The engine is not heard${link.age_s === null ? "" : ` for ${span(link.age_s)}`}: ${link.reason || link.state.toLowerCase()}`, "bad"];
    else if (reasons.length && status.state === "RUNNING") colour = "warn";
  } else if (state.problem) [word, why, colour] = [isReplay() ? "NO RUN" : "NO ENGINE", state.problem, "bad"];
  else if (isReplay()) [word, why, colour] = ["FINISHED", "A run out of its store: nothing trades here", "wait"];
  else if (link) [word, why, colour] = ["NO ENGINE", link.reason || "The engine is not running; what is shown is its store", "bad"];
  say($("state"), word);
  mark($("state"), "data-tone", colour);
  say($("why"), why);
  mark($("why"), "title", why);
  mark($("why"), "data-tone", status?.blockers.length ? "warn" : colour);
}

/** An engine that may trade and does not is a riddle until it says what it waits for. */
function awaited() {
  const told = state.heat?.candidates?.map((one) => ({ ...one, word: legName(one.leg, one.direction) })) ?? planned();
  const refused = told.find((one) => one.passes === false);
  if (refused) return `the next ${refused.word} in ${refused.symbol} would be refused: heat ${percent(refused.projected_bp)} with it`;
  if (told.length === 0) return `no campaign is open: ${plural(state.hello?.symbols.length ?? 0, "symbol")} watched for a setup`;
  const places = new Map();
  for (const { word, symbol } of told.slice(0, NAMED)) places.set(word, [...(places.get(word) ?? []), symbol]);
  const words = [...places].map(([word, symbols]) => `${word} in ${symbols.join(", ")}`);
  const rest = told.length - NAMED;
  return `waits for ${words.join("; ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** What open campaigns wait for, where the engine does not say what the next signal would add. */
const planned = () => state.campaigns.filter((one) => !OVER.has(one.state) && one.next_event).map((one) => ({ word: one.next_event, symbol: one.symbol }));

function heat() {
  const found = state.heat;
  const limit = { warning: found?.warning_bp ?? 700, critical: found?.critical_bp ?? 900, limit: found?.limit_bp ?? 1000 };
  const heat_bp = found?.heat_bp ?? null;
  say($("heat-value"), percent(heat_bp));
  say($("heat-zone"), found?.state && found.state !== "NORMAL" ? found.state.toLowerCase() : "");
  mark($("heat"), "data-tone", ZONES[found?.state] ?? "wait");
  if (heat_bp === null) $("heat").removeAttribute("aria-valuenow");
  else mark($("heat"), "aria-valuenow", (heat_bp / 100).toFixed(2));
  mark($("heat"), "aria-valuetext", heat_bp === null ? "not known: a mark is missing" : `${percent(heat_bp)} of equity at risk, ${found.state}, entries stop at ${percent(limit.limit, 0)}`);
  $("heat-fill").style.transform = `scaleX(${Math.min(1, Math.max(0, (heat_bp ?? 0) / TOP_BP))})`;
  for (const [name, bp] of Object.entries(limit)) {
    for (const node of document.querySelectorAll(`#heat .mark.${name}`)) node.style.left = `${(100 * bp) / TOP_BP}%`;
    say(document.querySelector(`.heat-scale .mark.${name}`), String(bp / 100));
  }
}

function figures() {
  const { status } = state;
  say($("pnl"), money(status?.day.pnl, "", { signed: true }));
  mark($("pnl"), "data-tone", tone(status?.day.pnl));
  mark($("pnl"), "title", status ? `Since midnight UTC, costs of ${money(status.day.costs, status.currency)} included` : "");
  say($("equity"), money(status?.equity, status?.currency ?? ""));
}

function kill() {
  const { status } = state;
  const isKilled = Boolean(status?.kill_level);
  hide($("killed"), !isKilled);
  if (!isKilled) return;
  const done = { entries: "no new entries", cancel: "working entries cancelled", flatten: "positions closed" }[status.kill_level];
  say($("killed-text"), `${status.kill_level}: ${done}${status.kill_reason ? `. Reason: ${status.kill_reason}` : ""}`);
}

function title() {
  const { status, hello } = state;
  const word = status?.kill_level ? "KILLED" : status?.state ?? modeWord();
  const name = hello ? `${modeWord()} ${word === modeWord() ? "" : word} `.trimEnd() : "Wyckoff monitor";
  if (document.title !== name) document.title = name;
}

/** Where the tab is hidden only its title is kept true. */
export function unseen(items) {
  for (const { topic, data } of items) {
    if (topic === "status") document.title = `${(data.mode || "").toUpperCase()} ${data.kill_level ? "KILLED" : data.state}`;
    if (topic === "alert" && data.level === "critical") document.title = `! ${data.text}`.slice(0, 80);
  }
}

/** The age of what is shown, told several times a second and without a word from the server. */
export function beat(connection) {
  const { age_ms, isLost } = connection;
  const isStarting = age_ms === null && !connection.wasHeard;
  const seconds = age_ms === null ? null : age_ms / 1000;
  say($("link"), isLost ? (isStarting ? "connecting" : `lost ${span(Math.max(1, seconds))}`) : seconds < 1.5 ? "live" : `${seconds.toFixed(0)} s old`);
  mark($("link"), "data-tone", isLost ? (isStarting ? "wait" : "bad") : "good");
  const isShown = isLost && !isStarting && state.session !== null;
  mark(document.body, "data-lost", isShown ? "yes" : "no");
  hide($("lost"), !isShown);
  if (isShown) say($("lost"), `Connection lost: what you see is ${span(Math.max(1, Math.round(seconds)))} old. It comes back by itself; commands from a terminal still work.`);
}
