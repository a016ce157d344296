// The table of campaigns: what is planned, filled and working of each, and what it awaits.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { orderState, state, workingOrders } from "./state.js";
import { leg as legName, money, number, percent, plain, plural, price, tone } from "./words.js";

const CAP_BP = 500;
const MOST_OVER = 12;
const BASE = { SPRING: 40, SOS: 30, LPS: 30 };
const OVER = new Set(["COMPLETED", "INVALIDATED", "EXPIRED"]);

const COLUMNS = ["Campaign", "Phase", "State", "40 / 30 / 30", "Average", "Stop", "Target", "R", "Heat", "Risk of 5 %", "Open P&L", "Next"];
const NUMBERS = new Set(["Average", "Stop", "Target", "R", "Heat", "Risk of 5 %", "Open P&L"]);

/** What became of each leg and how much of the cap it has. A leg that was passed over gives its share to the next that is not. */
export function legsOf(campaign, working) {
  const legs = campaign.legs.map((one) => {
    const planned = Number(one.planned_percent ?? BASE[one.leg] ?? 0);
    const filled = Number(one.filled_bp) > 0 ? Number(one.filled_percent ?? (100 * Number(one.filled_bp)) / CAP_BP) : 0;
    return { leg: one.leg, planned, filled, isFilled: Number(one.filled_bp) > 0, isWorking: working.has(one.leg), weight: planned, attempts: one.attempts };
  });
  const last = legs.findLastIndex((one) => one.isFilled || one.isWorking);
  let passed = 0;
  legs.forEach((one, at) => {
    one.isSkipped = !one.isFilled && !one.isWorking && at < last;
    if (one.isSkipped) passed += one.weight;
    else {
      one.weight += passed;
      passed = 0;
    }
  });
  return legs;
}

function working(campaign) {
  const legs = new Set();
  for (const one of workingOrders()) {
    if (one.campaign !== campaign || one.role !== "ENTRY") continue;
    for (const name of Object.keys(BASE)) if (`${one.group ?? ""}/${one.order_id}`.includes(name)) legs.add(name);
  }
  for (const one of state.decisions) {
    if (one.campaign !== campaign || one.verdict !== "Approved" || one.action !== "ENTER") continue;
    const order = state.orders.findLast((other) => other.campaign === campaign && (other.group ?? other.order_id ?? "").includes(one.leg));
    if (order && orderState(order) === "WORKING") legs.add(one.leg);
  }
  return legs;
}

export function begin(onChoice) {
  onChosen = onChoice;
}
let onChosen = () => {};

export function draw() {
  const found = [...state.campaigns].sort(order);
  hide($("campaigns-none"), found.length > 0);
  const open = found.filter((one) => !OVER.has(stateOf(one))).length;
  const earlier = found.splice(open + MOST_OVER).length;
  hide($("campaigns-more"), earlier === 0);
  say($("campaigns-more"), `${plural(earlier, "earlier one", "earlier ones")}: wyckoff show-campaigns lists them all.`);
  say($("campaigns-count"), found.length ? `${open} open, ${found.length + earlier - open} over` : "");
  keep($("campaigns"), found, { key: (one) => one.campaign, build, fill });
}

/** What was pushed is newer than what was asked for. */
const stateOf = (one) => state.campaignStates.get(one.campaign)?.state ?? one.state;

const RANK = { MARKUP: 0, ACTIVE: 1, DORMANT: 2, FORMING: 3 };

/** What is held first, hottest first; what is over last, newest first. */
const order = (one, other) => (RANK[stateOf(one)] ?? 9) - (RANK[stateOf(other)] ?? 9) || (other.heat_bp ?? 0) - (one.heat_bp ?? 0) || (other.opened > one.opened ? 1 : -1);

function build(campaign) {
  const cells = COLUMNS.map((name) => make("td", { "data-name": name, class: NUMBERS.has(name) ? "n" : null }));
  const row = make("tr", {}, ...cells);
  const name = make("button", { type: "button", class: "plain name", on: { click: () => onChosen(campaign.campaign) } });
  cells[0].append(make("i", { class: "way", "aria-hidden": "true" }), name, make("span", { class: "timeframe" }));
  cells[2].append(make("span", { class: "pill" }));
  cells[3].append(make("div", { class: "legs", role: "img" }));
  cells[9].append(make("span", { class: "budget-words" }), make("span", { class: "budget" }, make("i")));
  row.addEventListener("click", (event) => event.target.closest("button") || onChosen(campaign.campaign));
  return row;
}

function fill(row, one) {
  const [name, phase, standing, legs, average, stop, target, r, heat, risk, profit, next] = row.children;
  const now = stateOf(one);
  const isOver = OVER.has(now);
  mark(row, "class", `${isOver ? "over" : ""} ${state.chosen.campaign === one.campaign ? "chosen" : ""}`.trim());
  mark(name.firstElementChild, "data-way", one.direction < 0 ? "down" : "up");
  say(name.children[1], one.campaign);
  mark(name.children[1], "title", `${one.direction < 0 ? "Distribution" : "Accumulation"}: ${one.cause || one.campaign}`);
  say(name.children[2], one.timeframe);
  const seen = isOver ? null : one.phase;
  say(phase, seen ?? (isOver ? "" : "–"));
  mark(phase, "class", seen ? `phase p${seen}` : "phase");
  say(standing.firstElementChild, now);
  mark(standing.firstElementChild, "data-state", now);
  bars(legs.firstElementChild, one);
  // Of what is over nothing stands any more: its places stay empty rather than unknown.
  const now_price = (value) => (isOver ? "" : price(value));
  say(average, now_price(one.average_price));
  say(stop, now_price(one.stop));
  const targets = one.targets ?? [];
  say(target, now_price(targets[0]));
  mark(target, "title", targets.map(price).join(" / "));
  say(r, isOver && one.r === null ? "" : number(one.r, 2, { signed: true }));
  mark(r, "data-tone", tone(one.r));
  say(heat, isOver ? "" : percent(one.heat_bp));
  const used_bp = one.legs.reduce((sum, each) => sum + Number(each.filled_bp || 0), 0);
  risk.lastElementChild.firstElementChild.style.transform = `scaleX(${Math.min(1, used_bp / CAP_BP)})`;
  say(risk.firstElementChild, used_bp > 0 ? percent(used_bp) : isOver ? "" : "–");
  hide(risk.lastElementChild, used_bp <= 0);
  say(profit, isOver ? (used_bp > 0 ? money(one.pnl, "", { signed: true }) : "") : money(one.unrealised, "", { signed: true }));
  mark(profit, "data-tone", tone(isOver ? one.pnl : one.unrealised));
  say(next, isOver ? one.last_exit || plain(one.cause).toLowerCase() : one.next_event ?? "–");
  mark(next, "title", isOver ? one.last_exit || one.cause : "");
}

function bars(node, campaign) {
  const legs = legsOf(campaign, working(campaign.campaign));
  const words = [];
  keep(node, legs, {
    key: (one) => one.leg,
    build: () => make("span", { class: "leg" }, make("i"), make("b")),
    fill: (part, one) => {
      const kind = one.isSkipped ? "skipped" : one.isFilled ? "filled" : one.isWorking ? "working" : "empty";
      mark(part, "class", `leg ${kind}`);
      // A skipped leg keeps its own place; the share it gave away is said at the leg that has it now.
      part.style.flexGrow = String(one.planned);
      part.firstElementChild.style.transform = `scaleX(${one.isFilled ? Math.min(1, Math.max(0.08, one.filled / one.weight)) : 1})`;
      say(part.lastElementChild, one.isSkipped ? "0" : String(Math.round(one.weight)));
      words.push(`${legName(one.leg, campaign.direction)} ${kind}, ${one.isSkipped ? `its ${one.planned} % went on` : `${Math.round(one.weight)} % of the cap`}${one.isFilled ? `, ${number(one.filled, 0)} % taken` : ""}`);
    },
  });
  mark(node, "aria-label", words.join("; "));
  mark(node, "title", words.join("\n"));
}
