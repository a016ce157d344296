// What was decided and why; events, orders and commands beside it. A click shows the bar.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { book } from "./bars.js";
import { worded } from "./reasons.js";
import { marketNow, orderState, state } from "./state.js";
import { leg as legName, milliseconds, number, percent, plain, price, unbroken, when } from "./words.js";

const SHOWN = 150;
let tab = "decisions";
let wanted = "";
let onShow = () => {};
let onTab = () => {};
let asOf_ms = null;

export function begin(show, changed) {
  onShow = show;
  onTab = changed;
  $("filter").addEventListener("input", () => {
    wanted = $("filter").value.trim().toLowerCase();
    draw();
  });
  for (const node of $("tabs").children) node.addEventListener("click", () => choose(node));
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...$("tabs").children];
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    choose(next);
    next.focus();
  });
}

function choose(node) {
  tab = node.id.slice(4);
  for (const one of $("tabs").children) {
    mark(one, "aria-selected", one === node);
    one.tabIndex = one === node ? 0 : -1;
  }
  mark($("log"), "aria-labelledby", node.id);
  onTab();
  draw();
}

/** A replay shows nothing that came later than its bar; null shows all. */
export function until(ms) {
  asOf_ms = ms;
  draw();
}

const SOURCES = { decisions, events, orders, commands, lines };
const NOTHING = { decisions: "No decision yet: no signal has come so far. What was seen stands under Events.", events: "No event yet.", orders: "No order yet.", commands: "No command was given.", lines: "The log is empty." };

/** Whether anybody looks at the engine's own log, which is asked for only then. */
export const isAtLines = () => tab === "lines";

export function draw() {
  const entries = SOURCES[tab]().filter((one) => (asOf_ms === null || one.time_ms <= asOf_ms) && (!wanted || one.search.includes(wanted))).sort((one, other) => other.time_ms - one.time_ms).slice(0, SHOWN);
  hide($("entries-none"), entries.length > 0);
  say($("entries-none"), wanted ? "Nothing matches the filter." : NOTHING[tab]);
  keep($("entries"), entries, { key: (one) => `${tab}|${one.key}`, build, fill });
}

function entry(key, time_ms, { verdict, tone, head, text, symbol = "", timeframe = "", campaign = "", bar_ms = time_ms }) {
  return { key, time_ms, verdict, tone, head, text, symbol, timeframe, campaign, bar_ms, search: `${verdict} ${head} ${text} ${symbol} ${campaign}`.toLowerCase() };
}

function build() {
  const node = make("li", {}, make("button", { type: "button", class: "entry" }, make("time"), make("span", { class: "verdict" }), make("span", { class: "words" }, make("b"), " ", make("span", { class: "text" }))));
  node.firstElementChild.addEventListener("click", () => node.shown.symbol && onShow(node.shown));
  return node;
}

function fill(node, one) {
  node.shown = one;
  const [time, verdict, words] = node.firstElementChild.children;
  const [head, text] = words.children;
  say(time, when(one.time_ms, marketNow()));
  mark(time, "datetime", new Date(one.time_ms).toISOString());
  say(verdict, one.verdict);
  mark(verdict, "data-tone", one.tone);
  say(head, one.head);
  say(text, unbroken(one.text));
}

/** Why, in words; the sum behind a refusal is the server's, out of the receipt's own numbers. */
export function reason(one) {
  const words = one.verdict === "Approved" ? null : worded(one.code, one.value, one.limit);
  if (words || one.text) return words ?? one.text.replaceAll("_", " ").replace(" >= ", " ≥ ");
  if (one.verdict === "Approved" && one.action !== "ENTER") {
    const what = { MOVE_STOP: `move the stop to ${price(one.stop_price)}`, EXIT: `exit${Number(one.quantity) ? ` ${one.quantity}` : ""}`, CANCEL: "cancel the entry" }[one.action] ?? one.action;
    return [what, plain(one.reason)].filter(Boolean).join(": ");
  }
  if (one.verdict === "Approved") {
    const heat = one.heat_before_bp === null || one.heat_before_bp === undefined ? "" : `heat ${percent(one.heat_before_bp, 1)} + ${percent(one.risk_bp, 1)} < ${percent(one.limit_bp, 0)}`;
    return [one.quantity && `${one.quantity} at ${price(one.limit_price ?? one.entry_price)}`, one.stop_price && `stop ${price(one.stop_price)}`, heat].filter(Boolean).join(", ");
  }
  const name = `${one.code ?? one.reason ?? ""}`.toLowerCase().replaceAll("_", " ");
  return one.value || one.limit ? `${name} ${one.value ?? ""}, limit ${one.limit ?? ""}` : name || one.reason || "";
}

/** What is approved without being judged is no news as an approval. */
const DONE = { MOVE_STOP: "stop", EXIT: "exit", CANCEL: "cancel" };

function decisions() {
  const gate = state.decisions.map((one) => entry(`${one.intent_id}|${one.verdict}`, one.time_ms, {
    verdict: one.verdict !== "Approved" ? "refused" : DONE[one.action] ?? "approved", tone: one.verdict !== "Approved" ? "bad" : one.action in DONE ? "flat" : "good",
    head: `${one.symbol} ${legName(one.leg, one.direction)}`.trim(), text: reason(one), ...place(one),
  }));
  const declined = state.declined.filter((one) => one.source !== "gate").map((one) => entry(`${one.time_ms}|${one.subject}|${one.code}`, one.time_ms, { verdict: "declined", tone: "flat", head: `${one.symbol} ${subject(one).kind}`.trim(), text: reason(one), ...place(one), timeframe: subject(one).timeframe }));
  return [...gate, ...declined, ...reports(true)];
}

/** What was declined, out of an event's id: symbol, timeframe, direction, kind and times. */
function subject({ symbol, subject: words = "" }) {
  if (!words.startsWith(`${symbol}:`)) return { timeframe: "", kind: words };
  const [timeframe, direction, kind] = words.slice(symbol.length + 1).split(":");
  return { timeframe, kind: legName(kind, Number(direction)) };
}

/** Fills are decisions' results and stand among them; the rest of the reports belong to the orders. */
function reports(isFill) {
  return state.executions.filter((one) => (one.report === "Fill") === isFill).map((one) => entry(`${one.execution_id || one.item || ""}|${one.order_id}|${one.report}|${one.time_ms}`, one.time_ms, {
    verdict: isFill ? "filled" : one.report.toLowerCase(), tone: isFill ? "fill" : one.report === "Rejected" ? "bad" : "flat",
    head: `${one.symbol} ${one.role ?? ""}`.trim(),
    text: isFill ? `${one.side === "BUY" ? "bought" : "sold"} ${one.quantity} at ${price(one.price)}${one.simulated && !isSimulated() ? ", simulated" : ""}` : `${one.order_id}${one.reason ? `: ${one.reason}` : ""}`, ...place(one),
  }));
}

/** Where every fill is, the header says so once. */
const isSimulated = () => state.status?.venue_is_simulated ?? true;

const place = (one) => ({ symbol: one.symbol ?? "", timeframe: one.timeframe ?? "", campaign: one.campaign ?? "" });

function events() {
  const merged = new Map([...state.events, ...book.events].map((one) => [one.event_id, one]));
  return [...merged.values()].map((one) => entry(one.event_id, one.known_ms ?? one.confirm_ms, {
    verdict: one.phase?.length === 1 ? `phase ${one.phase}` : "event", tone: one.direction < 0 ? "bear" : "bull", head: `${one.symbol} ${(one.name || one.kind).replaceAll("_", " ")}`,
    text: `${number(one.score ?? one.confidence, 0)} at ${price(one.price)}, ${one.timeframe}${one.volume_ratio ? `, volume ${number(one.volume_ratio, 1)}×` : ""}${one.supersedes ? ", replaces an earlier one" : ""}`, ...place(one), bar_ms: one.event_ms,
  }));
}

function orders() {
  const found = state.orders.map((one) => entry(one.order_id, one.time_ms, {
    verdict: orderState(one).toLowerCase(), tone: orderState(one) === "WORKING" ? "warn" : orderState(one) === "REJECTED" ? "bad" : "flat", head: `${one.symbol} ${one.role ?? ""}`,
    text: `${one.side?.toLowerCase()} ${one.quantity} ${one.kind?.toLowerCase().replaceAll("_", " ")}${one.limit_price ? ` at ${price(one.limit_price)}` : ""}${one.stop_price ? ` stop ${price(one.stop_price)}` : ""}`, ...place(one),
  }));
  return [...found, ...reports(false)];
}

const LEVELS = { warning: "warn", error: "bad", critical: "bad" };
const APART = new Set(["time", "level", "event", "logger"]);

function lines() {
  return state.lines.map((one, at) => entry(`${one.time}|${at}`, milliseconds(one.time) ?? 0, {
    verdict: one.level ?? "", tone: LEVELS[one.level] ?? "flat", head: `${one.event ?? ""}`.replaceAll("_", " "),
    text: Object.entries(one).filter(([name]) => !APART.has(name)).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", "),
  }));
}

function commands() {
  return state.commands.map((one) => entry(`${one.time_ms}|${one.name}|${one.argument}`, one.time_ms, {
    verdict: one.name, tone: one.name === "kill" ? "bad" : "flat", head: `${one.argument || ""}`, text: `${one.operator ? `by ${one.operator}` : ""}${one.reason ? `: ${one.reason}` : ""}`,
  }));
}
