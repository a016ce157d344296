// Heat over time against its three marks, what it is made of, and what the next signals would make of it.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { marketNow, state } from "./state.js";
import { onTheme, paint } from "./theme.js";
import { leg as legName, number, percent, span } from "./words.js";

const MOST_POINTS = 600;
const LEAST_S = 3600;
const DAY_S = 86400;
let plots = null;
let plot = null;

export function begin(libraries) {
  plots = libraries.plots;
  if (!plots) return;
  onTheme(anew);
  new ResizeObserver(() => plot?.setSize(size())).observe($("heat-plot"));
}

const size = () => ({ width: $("heat-plot").clientWidth, height: $("heat-plot").clientHeight });

function anew() {
  plot?.destroy();
  plot = null;
  draw();
}

export function draw() {
  const found = state.heatDetail;
  const heat_bp = state.heat?.heat_bp ?? null;
  const limit_bp = state.heat?.limit_bp ?? 1000;
  const since_ms = found?.zone_since_ms ?? null;
  say($("heat-since"), state.heat?.state ? `${state.heat.state.toLowerCase()}${since_ms === null ? "" : ` for ${span(Math.max(0, (marketNow() - since_ms) / 1000))}`}` : "");
  say($("heat-room"), heat_bp === null ? "" : heat_bp >= limit_bp ? "no room" : `${percent(limit_bp - heat_bp)} to the limit`);
  mark(document.body, "data-heat", heat_bp === null && state.heatHistory.length === 0 ? "no" : "yes");
  stack(rowsOf(found), limit_bp);
  next(state.heat?.candidates ?? found?.candidates ?? [], heat_bp ?? 0, limit_bp);
  line();
}

const hottest = (one, other) => other.heat_bp - one.heat_bp;

/** Campaigns, the hottest first; those that move together stand under their sum. */
function rowsOf(found) {
  const held = (found?.campaigns ?? []).filter((one) => Number(one.heat_bp) > 0).sort(hottest);
  const groups = (found?.groups ?? []).filter((one) => one.campaigns.length > 1).sort(hottest);
  const grouped = new Set(groups.flatMap((one) => one.campaigns));
  const under = (group) => held.filter((one) => group.campaigns.includes(one.campaign)).map((one) => ({ ...one, isPart: true }));
  return [...groups.flatMap((one) => [{ ...one, campaign: one.symbols.join("+"), isGroup: true }, ...under(one)]), ...held.filter((one) => !grouped.has(one.campaign))];
}

const row = () => make("li", {}, make("span", { class: "who" }), make("span", { class: "track" }, make("i"), make("i", { class: "more" })), make("span", { class: "n" }));
const scaled = (node, from, to) => { node.style.transform = `translateX(${100 * from}%) scaleX(${Math.max(0, Math.min(1, to) - from)})`; };

function stack(rows, limit_bp) {
  hide($("heat-none"), rows.length > 0);
  keep($("heat-stack"), rows, {
    key: (one) => `${one.isGroup ? "together " : ""}${one.campaign}`,
    build: row,
    fill: (node, one) => {
      const [who, track, value] = node.children;
      mark(node, "class", one.isGroup ? "together" : one.isPart ? "part" : "");
      say(who, one.isGroup ? `${one.symbols.length} move together` : one.campaign);
      mark(who, "title", one.isGroup ? `${one.symbols.join(", ")}: their returns correlate by ${number(one.correlation, 2)} and more, so they may lose at once` : one.campaign);
      scaled(track.firstElementChild, 0, one.heat_bp / limit_bp);
      say(value, percent(one.heat_bp));
    },
  });
}

/** On top of the heat of now, what each waiting leg may add at most. */
function next(candidates, heat_bp, limit_bp) {
  hide($("heat-next").previousElementSibling, candidates.length === 0);
  keep($("heat-next"), candidates, {
    key: (one) => `${one.campaign}|${one.leg}`,
    build: row,
    fill: (node, one) => {
      const [who, track, value] = node.children;
      const word = legName(one.leg, one.direction);
      say(who, `${one.symbol} ${word} +${percent(one.risk_bp)}`);
      mark(node, "data-tone", one.passes ? "" : "bad");
      mark(node, "title", `${word} of ${one.campaign}: at most ${percent(one.risk_bp)}, heat ${percent(one.projected_bp)} with it${one.passes ? "" : `: refused, the limit is ${percent(one.limit_bp, 0)}`}`);
      scaled(track.firstElementChild, 0, heat_bp / limit_bp);
      scaled(track.lastElementChild, Math.min(1, heat_bp / limit_bp), (one.projected_bp ?? heat_bp) / limit_bp);
      say(value, one.passes ? percent(one.projected_bp) : "refused");
    },
  });
}

/** Time rises strictly in a plot: of two points in one millisecond the later stands. */
function points() {
  const rows = [...state.heatHistory, ...state.heatSeen].filter((one) => one.heat_bp !== null && one.heat_bp !== undefined);
  rows.sort((one, other) => one.time_ms - other.time_ms);
  const now = state.heat?.heat_bp ?? null;
  if (now !== null && !(rows.at(-1)?.time_ms >= marketNow())) rows.push({ time_ms: marketNow(), heat_bp: now });
  const kept = rows.filter((one, at) => rows[at + 1]?.time_ms !== one.time_ms).slice(-MOST_POINTS);
  return [kept.map((one) => one.time_ms / 1000), kept.map((one) => one.heat_bp / 100)];
}

function line() {
  if (!plots || size().width < 40) return;
  const data = points();
  if (data[0].length === 0) return;
  if (plot) plot.setData(data);
  else plot = new plots(options(), data, $("heat-plot"));
}

/** Hours within some days, days within some years, else months. */
function stamped(splits) {
  const long_s = (splits.at(-1) ?? 0) - (splits[0] ?? 0);
  const [from, to] = long_s < 2 * DAY_S ? [11, 16] : long_s < 300 * DAY_S ? [5, 10] : [0, 7];
  return (at) => new Date(at * 1000).toISOString().slice(from, to);
}

function options() {
  const font = "10.5px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
  const axis = { stroke: paint.faint, font, grid: { stroke: paint.grid, width: 1 }, ticks: { show: false } };
  return {
    ...size(), legend: { show: false }, cursor: { show: false }, padding: [6, 14, 0, 0],
    scales: { x: { time: true, range: (_, from, to) => [Math.min(from, to - LEAST_S), to] }, y: { range: (_, __, top) => [0, Math.max(11, top * 1.05)] } },
    axes: [{ ...axis, size: 18, gap: 2, space: 70, values: (_, splits) => splits.map(stamped(splits)) }, { ...axis, size: 30, gap: 4, splits: () => [0, 5, 10], values: (_, splits) => splits.map(String) }],
    series: [{}, { stroke: paint.accent, width: 1.5, fill: `color-mix(in srgb, ${paint.accent} 14%, transparent)`, paths: plots.paths.stepped({ align: 1 }), points: { show: false } }],
    hooks: { drawAxes: [limits] },
  };
}

/** The three marks, as lines behind the heat. */
function limits(drawn) {
  const { ctx, bbox } = drawn;
  const marks = [[state.heat?.warning_bp ?? 700, paint["warn-fill"]], [state.heat?.critical_bp ?? 900, paint["hot-fill"]], [state.heat?.limit_bp ?? 1000, paint["bad-fill"]]];
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const [bp, colour] of marks) {
    const y = Math.round(drawn.valToPos(bp / 100, "y", true)) + 0.5;
    ctx.strokeStyle = colour;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}
