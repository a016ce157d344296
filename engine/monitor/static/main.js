// Brings the parts together: signs in, connects, and says which panel draws after which topic.

import * as alerts from "./alerts.js";
import * as bars from "./bars.js";
import * as campaigns from "./campaigns.js";
import * as chart from "./chart.js";
import { Connection } from "./connection.js";
import * as dialogs from "./dialogs.js";
import { $, hide, keep, make, say } from "./dom.js";
import { backlog, everything, panel, touched } from "./frame.js";
import * as header from "./header.js";
import * as health from "./health.js";
import * as heat from "./heat.js";
import { INSTALL, libraries } from "./libraries.js";
import * as log from "./log.js";
import * as replay from "./replay.js";
import { Refusal, ask, currentSession, look, onSignedOut, signIn, signOut, signedOut } from "./server.js";
import { held, isReplay, state, takeItem, takeLists, takeSnapshot } from "./state.js";
import { readPaint } from "./theme.js";
import * as watch from "./watch.js";

const CAMPAIGNS_EVERY_MS = 2000;
const HEALTH_EVERY_MS = 2000;
const HEAT_EVERY_MS = 5000;
const SERIES_EVERY_MS = 60000;
const LINES_EVERY_MS = 3000;
const RETRY_MS = 2000;

let skew_ms = 0;
state.serverNow = () => Date.now() + skew_ms;

const connection = new Connection({
  hello, snapshot, items,
  unseen: (found) => header.unseen(found),
  beat: () => header.beat(connection),
  refused: () => currentSession().then((session) => session || signedOut()).catch((error) => { if (!(error instanceof Refusal)) throw error; }),
  signedOut: () => signedOut(),
});

panel(["status", "heat", "link", "hello", "campaigns"], header.draw);
panel(["hello", "chosen", "price", "phase"], watch.draw);
panel(["campaign", "campaigns", "execution", "order", "decision", "chosen", "price"], campaigns.draw);
panel(["heat", "heats", "status"], heat.draw);
panel(["status", "feed"], health.drawFeeds);
panel(["status", "queues"], health.drawPipeline);
panel(["decision", "declined", "execution", "order", "event", "command", "bars", "book", "lines"], log.draw);
panel(["alert"], alerts.draw);
panel(["bars"], () => isReplay() && replay.draw());
panel(["bars", "book", "event", "phase", "price", "campaigns", "status"], chart.draw);
panel(["hello", "chosen"], () => chart.choices(choose));
panel(["hello"], about);

function hello(found) {
  state.hello = found;
  state.mode = found.mode;
  skew_ms = found.server_ms - Date.now();
  settle(found);
  connection.wasHeard = true;
}

/** What was chosen stays chosen where it still exists. */
function settle(found) {
  const symbol = found.symbols.includes(state.chosen.symbol) ? state.chosen.symbol : found.symbols[0] ?? "";
  const timeframes = found.detect_on.length ? found.detect_on : found.timeframes;
  const timeframe = timeframes.includes(state.chosen.timeframe) ? state.chosen.timeframe : timeframes[0] ?? "";
  Object.assign(state.chosen, { symbol, timeframe });
  connection.bars = symbol ? [[symbol, timeframe]] : [];
}

async function snapshot(found) {
  takeSnapshot(found);
  if (state.status === null) await takeStore();
  everything();
  poll();
  await reload();
}

/** Without an engine nobody pushes: what the newest run left in the store is asked for. */
async function takeStore() {
  state.problem = await trouble("/runs?limit=1");
  if (state.problem) return;
  const [known, runs, signals, refusals, fills, events, crossings] = await Promise.all([
    look("/instruments"), look("/runs", { limit: 1 }), look("/signals", { limit: 400 }), look("/refusals", { limit: 200 }),
    look("/fills", { limit: 400 }), look("/events", { limit: 400 }), look("/heat/history", { limit: 1 }),
  ]);
  state.run = runs?.items[0] ?? null;
  if (known && state.hello.symbols.length === 0) {
    Object.assign(state.hello, { symbols: known.items.map((one) => one.symbol), timeframes: known.timeframes, detect_on: known.detect_on });
    settle(state.hello);
  }
  const oldestFirst = (list) => [...(list?.items ?? [])].reverse();
  takeLists({ decisions: oldestFirst(signals), declined: oldestFirst(refusals), executions: oldestFirst(fills).map((one) => ({ report: "Fill", ...one })), events: oldestFirst(events) });
  if (crossings?.items.length && state.heat === null) state.heat = { warning_bp: 700, critical_bp: 900, limit_bp: 1000, ...crossings.items[0] };
}

/** Why the server cannot answer, in its own words; "" where it can. */
async function trouble(path) {
  try {
    await ask(path);
    return "";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message;
  }
}

async function reload() {
  const { symbol, timeframe } = state.chosen;
  if (!symbol || !(await bars.load(symbol, timeframe, isReplay() ? bars.FIRST_REPLAY : bars.FIRST))) return;
  if (isReplay()) replay.anew();
  touched("book");
}

function items(found) {
  let isStanding = false;
  for (const item of found) {
    const { topic, data } = item;
    if (topic === "bars") {
      takeBars(data);
      continue;
    }
    touched(takeItem(item));
    if (topic === "event") bars.takeEvent(data);
    if (topic === "execution") bars.takeFill(data);
    if (topic === "campaign" || topic === "execution" || topic === "decision") wanted.campaigns = true;
    if (topic === "phase") isStanding ||= data.symbol === bars.book.symbol && data.timeframe === bars.book.timeframe;
    dialogs.heard(topic, data);
  }
  if (isStanding) wanted.standing = true;
}

function takeBars(data) {
  if (data.reload) {
    if (data.symbol === bars.book.symbol && data.timeframe === bars.book.timeframe) reload();
    return;
  }
  const last = bars.book.bars.length - 1;
  const first = bars.push(data);
  if (first >= 0 && first < last) chart.redrawn();
  else if (first >= 0) touched("bars");
}

// --- what is asked for rather than pushed -----------------------------------------------------------------

const wanted = { campaigns: true, standing: false };
const every = { campaigns: 0, health: 0, heat: 0, series: 0, lines: 0 };

function due(name, each_ms) {
  const now = performance.now();
  if (every[name] && now - every[name] < each_ms) return false;
  every[name] = now;
  return true;
}

/** Looks at what may have to be asked for; nothing is, while the tab is hidden or the page signed out. */
async function poll() {
  if (document.hidden || !state.session || connection.isLost) return;
  if (wanted.campaigns && due("campaigns", CAMPAIGNS_EVERY_MS)) await askCampaigns();
  if (wanted.standing) {
    wanted.standing = false;
    await bars.refresh();
    touched("book");
  }
  if (state.status && due("health", HEALTH_EVERY_MS)) {
    state.queues = (await look("/queues")) ?? state.queues;
    touched("queues");
  }
  if (due("heat", HEAT_EVERY_MS)) await askHeat();
  if (due("series", SERIES_EVERY_MS)) await askSeries();
  if (log.isAtLines() && due("lines", LINES_EVERY_MS)) await askLines();
}

async function askCampaigns() {
  const found = await look("/campaigns", { limit: 100 });
  if (!found) return;
  // Where prices move so do the live figures of what is open.
  wanted.campaigns = state.status !== null && found.items.some((one) => Number(one.open_quantity) > 0);
  state.campaigns = found.items;
  touched("campaigns");
}

async function askHeat() {
  const now = await look("/heat");
  if (!now) return;
  state.heatDetail = now;
  // With an engine heat is pushed, and newer than any answer.
  if (now.heat && state.status === null) state.heat = { ...state.heat, ...now.heat };
  touched("heats", "heat");
}

async function askSeries() {
  const found = await look("/heat/series");
  if (!found) return;
  state.heatHistory = found.items;
  touched("heats");
}

async function askLines() {
  const found = await look("/logs", { last: 200 });
  if (!found) return;
  state.lines = found.items;
  touched("lines");
}

// --- choices ------------------------------------------------------------------------------------------------

async function choose(symbol, timeframe) {
  Object.assign(state.chosen, { symbol, timeframe });
  connection.follow([[symbol, timeframe]]);
  touched("chosen");
  await reload();
}

async function chooseCampaign(name) {
  const campaign = state.campaigns.find((one) => one.campaign === name);
  const isSame = state.chosen.campaign === name;
  state.chosen.campaign = isSame ? "" : name;
  touched("chosen");
  if (isSame || !campaign) {
    chart.showPlan(null);
    return;
  }
  if (campaign.symbol !== state.chosen.symbol || campaign.timeframe !== state.chosen.timeframe) await choose(campaign.symbol, campaign.timeframe);
  const plan = await look(`/campaigns/${encodeURIComponent(name)}`);
  if (state.chosen.campaign === name) chart.showPlan(plan);
}

async function show({ symbol, timeframe, bar_ms }) {
  const wantedTimeframe = timeframe || state.chosen.timeframe;
  if (symbol !== state.chosen.symbol || wantedTimeframe !== state.chosen.timeframe) {
    await choose(symbol, wantedTimeframe);
    chart.draw();
  }
  chart.highlight(bar_ms);
}

// --- beginning ------------------------------------------------------------------------------------------------

function about() {
  const { hello: found, status } = state;
  const facts = [["Release", found?.release], ["Run", state.run?.name ?? found?.run], ["Build", status?.build_hash ?? state.run?.build_hash], ["Configuration", status?.config_hash ?? state.run?.config_hash], ["Decisions", status?.digest ?? state.run?.digest], ["Tape", status?.tape?.path]].filter(([, value]) => value);
  keep($("about-facts"), facts, { key: ([name]) => name, build: ([name]) => make("div", {}, make("dt", {}, name), make("dd")), fill: (node, [, value]) => say(node.lastElementChild, value) });
  say($("release"), found ? `${["Wyckoff engine", found.release].filter(Boolean).join(" ")}${found.run || state.run ? `, run ${state.run?.name ?? found.run}` : ""}. Times are UTC.` : "");
}

function askToken() {
  connection.stop();
  document.body.dataset.signed = "no";
  if (!$("sign-in").open) $("sign-in").showModal();
}

async function enter(event) {
  event.preventDefault();
  say($("sign-error"), "");
  try {
    await signIn($("token").value.trim());
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say($("sign-error"), error.status === 401 ? "This token is not known here." : error.message);
    return;
  }
  $("token").value = "";
  $("sign-in").close();
  run();
}

function run() {
  document.body.dataset.signed = "yes";
  wanted.campaigns = true;
  connection.start();
}

async function begin() {
  readPaint();
  // Who is there is asked while the libraries load; a refusal is looked at when all stands.
  const asked = currentSession().catch((error) => error);
  state.vendor = await libraries();
  const { charts, plots } = state.vendor;
  hide($("missing"), Boolean(charts && plots));
  say($("missing"), `The chart libraries are not installed: run \`${INSTALL}\` and load this page again. Everything but the charts works.`);
  document.body.dataset.charts = charts ? "yes" : "no";
  chart.begin(state.vendor);
  heat.begin(state.vendor);
  log.begin(show, poll);
  watch.begin((symbol) => choose(symbol, state.chosen.timeframe));
  alerts.begin();
  campaigns.begin(chooseCampaign);
  dialogs.begin();
  replay.begin();
  $("symbol").addEventListener("change", () => choose($("symbol").value, state.chosen.timeframe));
  $("sign-form").addEventListener("submit", enter);
  // The page without a session is of no use: the box stays until there is one.
  $("sign-in").addEventListener("cancel", (event) => event.preventDefault());
  $("sign-out").addEventListener("click", () => signOut().catch((error) => { if (!(error instanceof Refusal)) throw error; }));
  onSignedOut(askToken);
  setInterval(poll, 500);
  await session(asked);
}

/** A server that does not answer yet is asked again. */
async function session(asked) {
  try {
    const found = await asked;
    if (found instanceof Error) throw found;
    if (found) run();
    else askToken();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say($("why"), error.message);
    setTimeout(() => session(currentSession()), RETRY_MS);
  }
}

/** For tests and for the curious: how much the page holds and shows. */
window.monitor = { scrollTo: chart.scrollTo, inspect: () => ({ ...chart.inspected(), held: held(), backlog: backlog(), sequence: connection.sequence, events: bars.book.events.length }) };

begin();
