// What the page knows. Written by the connection, read by the panels; every list has a limit.

const MOST = { decisions: 400, declined: 200, executions: 400, orders: 400, events: 400, commands: 100, alerts: 100, feedFacts: 100, heatSeen: 300 };

export const state = {
  session: null, problem: "", hello: null, link: null, status: null, heat: null, mode: "", run: null,
  prices: new Map(), phases: new Map(), campaigns: [], campaignStates: new Map(), decisions: [], declined: [], executions: [], orders: [],
  events: [], feedFacts: [], commands: [], alerts: [], lines: [], queues: null, heatDetail: null, heatHistory: [], heatSeen: [],
  chosen: { symbol: "", timeframe: "", campaign: "" }, vendor: null,
};

const LISTS = { decision: "decisions", declined: "declined", execution: "executions", order: "orders", event: "events", command: "commands", alert: "alerts", feed: "feedFacts" };

export const phaseKey = (one) => `${one.symbol}|${one.timeframe}|${one.direction}`;

function push(name, item) {
  const list = state[name];
  list.push(item);
  if (list.length > MOST[name]) list.splice(0, list.length - MOST[name]);
}

function indexed(list, key) {
  return new Map((list ?? []).map((one) => [key(one), one]));
}

export function takeSnapshot(found) {
  Object.assign(state, { link: found.link ?? null });
  takeStatus(found.status ?? null);
  takeHeat(found.heat ?? found.status?.heat ?? null);
  state.prices = indexed(found.prices, (one) => one.symbol);
  state.phases = indexed(found.phases, phaseKey);
  state.campaignStates = indexed(found.campaigns, (one) => one.campaign);
  const lists = { decisions: "decisions", declined: "declined", orders: "orders", executions: "executions", events: "events", commands: "commands", alerts: "alerts", feedFacts: "feed" };
  for (const [name, key] of Object.entries(lists)) state[name] = (found[key] ?? []).slice(-MOST[name]);
}

/** Whole lists at once, oldest first; an empty one takes nothing away. */
export function takeLists(lists) {
  for (const [name, list] of Object.entries(lists)) if (list.length > 0) state[name] = list.slice(-MOST[name]);
}

function takeStatus(status) {
  state.status = status;
  if (status?.mode) state.mode = status.mode;
  if (status?.heat) takeHeat(status.heat);
}

/** Of an engine that is gone nothing is known but its limits. */
function takeHeat(heat) {
  if (heat === null) {
    if (state.heat) Object.assign(state.heat, { heat_bp: null, state: null, candidates: [] });
    return;
  }
  const isOther = heat.heat_bp !== state.heat?.heat_bp;
  state.heat = { ...state.heat, ...heat };
  if (!isOther || heat.heat_bp === null) return;
  state.heatSeen.push({ time_ms: marketNow(), heat_bp: heat.heat_bp });
  if (state.heatSeen.length > MOST.heatSeen) state.heatSeen.shift();
}

/** Takes one item of a delta in; says what changed, as the topic itself. */
export function takeItem({ topic, data }) {
  if (topic === "status") takeStatus(data);
  else if (topic === "heat") takeHeat(data);
  else if (topic === "link") state.link = data;
  else if (topic === "price") state.prices.set(data.symbol, data);
  else if (topic === "phase") state.phases.set(phaseKey(data), data);
  else if (topic === "campaign") state.campaignStates.set(data.campaign, data);
  else if (topic in LISTS) push(LISTS[topic], data);
  return topic;
}

/** An order as its reports leave it. */
export function orderState(order) {
  for (let at = state.executions.length - 1; at >= 0; at -= 1) {
    const one = state.executions[at];
    if (one.order_id !== order.order_id) continue;
    if (one.report === "Fill") return Number(one.remaining) > 0 ? "PARTLY FILLED" : "FILLED";
    return { Accepted: "WORKING", Rejected: "REJECTED", Cancelled: "CANCELLED", Expired: "EXPIRED" }[one.report] ?? order.state;
  }
  return order.state ?? "PENDING";
}

/** Working orders as the engine counts them, else as the reports say. */
export const workingOrders = () => state.status?.orders ?? state.orders.filter((one) => orderState(one) === "WORKING");

export const isReplay = () => state.mode === "replay" || state.mode === "backtest";
export const mayOperate = () => state.session?.role === "operate" && state.status !== null;

/** Now, as the line has it: a market that is replayed or generated runs by its own clock. */
export const marketNow = () => Date.parse(state.status?.line_time ?? "") || state.serverNow();

/** How much the page holds, for whoever watches its memory. */
export const held = () => Object.fromEntries(Object.keys(MOST).map((name) => [name, state[name].length]));
