// The chart: candles and volume of the chosen bars, and the overlay of what the engine saw in them.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { book, campaignsHere, indexAt, loadOlder } from "./bars.js";
import { Overlay } from "./overlay.js";
import { sceneOf } from "./scene.js";
import { isReplay, phaseKey, state, workingOrders } from "./state.js";
import { onTheme, paint } from "./theme.js";
import { minute, number, price, side } from "./words.js";

const EDGE_BARS = 30;
const SHOWN_BARS = 320;

let chart = null;
let candles = null;
let volume = null;
let overlay = null;
let priceLines = [];
let levelsSeen = "";
let seen = "";
let drawn = { version: -1, length: 0, first_ms: null, key: "" };
let isKnown = false;
let plan = null;
let pointed = null;
/** How many bars the replay shows; null shows all. */
let cursor = null;

export const bars = () => (cursor === null ? book.bars : book.bars.slice(0, cursor));
/** What is drawn now, and where. */
export const inspected = () => ({
  drawn: overlay?.drawn ?? null, bars: book.bars.length, isLoading: book.isLoading, shown: drawn.length, isKnown, highlighted: overlay?.highlighted ?? null,
  lines: (overlay?.scene.lines ?? []).map(({ word, to, open }) => ({ word, to, open })), levels: JSON.parse(levelsSeen || "[]"),
  marks: (overlay?.scene.marks ?? []).map(({ at, name }) => ({ at, name })),
});
export const scrollTo = (at) => chart?.timeScale().setVisibleLogicalRange({ from: at, to: at + 100 });

export function begin({ charts }) {
  if (!charts) return;
  const { createChart, CandlestickSeries, HistogramSeries } = charts;
  chart = createChart($("canvas"), { autoSize: true, ...options(), timeScale: { ...options().timeScale, rightOffset: 8, minBarSpacing: 0.8, barSpacing: 7 } });
  candles = chart.addSeries(CandlestickSeries, { ...candleColours(), borderVisible: false, priceLineVisible: false, priceFormat: { type: "custom", minMove: 1e-8, formatter: price } });
  volume = chart.addSeries(HistogramSeries, { priceFormat: { type: "custom", minMove: 1e-8, formatter: () => "" }, priceLineVisible: false, lastValueVisible: false }, 1);
  chart.panes()[0].setStretchFactor(5);
  chart.panes()[1].setStretchFactor(1);
  overlay = new Overlay(paint);
  candles.attachPrimitive(overlay);
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.1 } });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0 } });
  chart.subscribeCrosshairMove(({ logical }) => point(logical === undefined || logical === null ? null : Math.round(logical)));
  chart.timeScale().subscribeVisibleLogicalRangeChange(older);
  onTheme(dressed);
  $("canvas").addEventListener("keydown", keyed);
  $("known").addEventListener("click", () => {
    isKnown = !isKnown;
    mark($("known"), "aria-pressed", isKnown);
    rescene();
  });
}

/** Near the left edge the bars before it are fetched. */
function older() {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (range && range.from < EDGE_BARS && cursor === null && drawn.length > 0) loadOlder().then((isMore) => isMore && draw());
}

function options() {
  return {
    layout: { background: { color: paint.panel }, textColor: paint.soft, fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif", fontSize: 11, attributionLogo: true, panes: { separatorColor: paint.line, separatorHoverColor: paint.grid } },
    grid: { vertLines: { color: paint.grid }, horzLines: { color: paint.grid } },
    rightPriceScale: { borderVisible: false, minimumWidth: 72 }, timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false },
    crosshair: { mode: 0, vertLine: { color: paint.faint, labelBackgroundColor: paint.soft }, horzLine: { color: paint.faint, labelBackgroundColor: paint.soft } },
  };
}

const candleColours = () => ({ upColor: paint.up, downColor: paint.down, wickUpColor: paint.up, wickDownColor: paint.down });

function dressed() {
  chart.applyOptions(options());
  candles.applyOptions(candleColours());
  volume.setData(bars().map(volumeOf));
  levelsSeen = "";
  rescene();
}

const candleOf = (bar) => ({ time: bar.time, open: bar.open, high: bar.high, low: bar.low, close: bar.close });
const volumeOf = (bar) => ({ time: bar.time, value: bar.volume ?? 0, color: bar.close >= bar.open ? paint["up-soft"] : paint["down-soft"] });

/** All of it, or only the newest bar where nothing else changed. */
export function draw() {
  heading();
  if (!chart) return;
  const shown = bars();
  const told = seenOf(shown);
  if (told === seen) {
    levels();
    return;
  }
  seen = told;
  const key = `${book.symbol}|${book.timeframe}`;
  const isNew = key !== drawn.key;
  const isLonger = !isNew && drawn.version === book.version && shown[0]?.open_ms === drawn.first_ms && shown.length >= drawn.length && drawn.length > 0;
  if (isLonger) {
    for (let at = Math.max(0, drawn.length - 1); at < shown.length; at += 1) {
      candles.update(candleOf(shown[at]));
      volume.update(volumeOf(shown[at]));
    }
  } else {
    candles.setData(shown.map(candleOf));
    volume.setData(shown.map(volumeOf));
  }
  drawn = { version: book.version, length: shown.length, first_ms: shown[0]?.open_ms ?? null, key };
  if (isNew && shown.length) {
    performance.mark("chart");
    chart.timeScale().setVisibleLogicalRange({ from: Math.max(-2, shown.length - fitting()), to: shown.length + 7 });
  }
  rescene();
  older();
}

/** Differs where a candle, a mark, a range or a fill does: a new price alone draws nothing again. */
const seenOf = (shown) => [book.symbol, book.timeframe, book.version, shown.length, book.events.length, book.fills.length, ...Object.values(shown.at(-1) ?? {})].join("|");

const fitting = () => Math.min(SHOWN_BARS, Math.max(50, Math.round($("canvas").clientWidth / 3.8)));

/** A corrected bar that is not the last: the series take updates at their end alone. */
export function redrawn() {
  drawn.first_ms = null;
  seen = "";
  draw();
}

function rescene() {
  if (!overlay) return;
  const shown = bars();
  overlay.show(sceneOf({ bars: shown, events: book.events, ranges: book.ranges, fills: book.fills, standing: cursor === null ? standing() : [], plan, isKnown }), shown);
  levels();
  mark($("canvas"), "aria-label", `Candles and volume of ${book.symbol} ${book.timeframe}: ${shown.length} bars, ${overlay.scene.marks.length} marks. Arrow keys read the bars out.`);
}

/** Where the ranges begin in which a phase stands now: they go on to the newest bar. */
const standing = () => phasesHere().filter(isStanding).map((one) => `${one.direction}|${one.range_start_ms}`);
const phasesHere = () => [1, -1].map((direction) => state.phases.get(phaseKey({ symbol: book.symbol, timeframe: book.timeframe, direction }))).filter(Boolean);
const isStanding = (one) => one.phase.length === 1;

/** Stops and targets that stand now, on the price axis. */
function levels() {
  const wanted = cursor === null ? [...campaignsHere().filter((one) => Number(one.open_quantity) > 0).flatMap(levelsOf), ...entries()] : [];
  const told = JSON.stringify(wanted);
  if (told === levelsSeen) return;
  levelsSeen = told;
  for (const line of priceLines) candles.removePriceLine(line);
  priceLines = wanted.map(({ price: value, title, kind }) => candles.createPriceLine({ price: value, title, color: paint[kind], lineStyle: STYLES[kind], lineWidth: 1, axisLabelVisible: true }));
}

const STYLES = { stop: 0, target: 1, accent: 2 };
const isKnownPrice = ([value]) => value !== null && value !== undefined;
const levelsOf = (one) => [[one.stop, "stop"], [one.targets?.[0], "target"]].filter(isKnownPrice).map(([value, kind]) => ({ price: Number(value), title: kind, kind }));

/** Working entries of this symbol, where they wait. */
function entries() {
  const here = workingOrders().filter((one) => one.symbol === book.symbol && one.role === "ENTRY");
  return here.map((one) => [one.limit_price ?? one.stop_price, one]).filter(isKnownPrice).map(([value, one]) => ({ price: Number(value), title: `${one.side.toLowerCase()} ${one.quantity}`, kind: "accent" }));
}

function heading() {
  const last = state.prices.get(book.symbol)?.price ?? bars().at(-1)?.close;
  say($("last-price"), cursor === null ? price(last) : price(bars().at(-1)?.close));
  const bar = bars().at(-1);
  const told = cursor === null ? phasesHere().filter(isStanding) : [];
  const found = told.length ? told.sort((one, other) => (other.confidence ?? 0) - (one.confidence ?? 0)) : bar && isStanding(bar) ? [bar] : [];
  say($("phase-now"), found.map((one, at) => `${at ? "phase" : "Phase"} ${one.phase} of ${side(one.direction)}${one.confidence ? `, ${Math.round(one.confidence)}\u00a0%` : ""}`).join("; ") || (bar?.phase === "WARMUP" ? "warming up" : bar ? "no phase" : ""));
  mark($("phase-now"), "title", $("phase-now").textContent);
  if (pointed === null) read(bars().length - 1);
}

function point(at) {
  pointed = at;
  read(at === null ? bars().length - 1 : at);
}

/** One bar in words, with what was seen at it. */
function read(at) {
  const bar = bars()[at];
  if (!bar) {
    say($("readout"), " ");
    return;
  }
  const seen = (overlay?.scene.marks ?? []).filter((one) => one.at === at).map((one) => (one.confidence === null ? one.name : `${one.name} ${one.confidence}`));
  const size = number(bar.volume, bar.volume >= 1000 ? 0 : 2);
  say($("readout"), `${minute(bar.open_ms)}   O\u00a0${price(bar.open)}   H\u00a0${price(bar.high)}   L\u00a0${price(bar.low)}   C\u00a0${price(bar.close)}   V\u00a0${size}${seen.length ? `   ${seen.join(", ")}` : ""}`);
}

function keyed(event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
  const last = bars().length - 1;
  const at = event.key === "Home" ? 0 : event.key === "End" ? last : event.key in steps ? Math.min(last, Math.max(0, (pointed ?? last + 1) + steps[event.key])) : null;
  if (at === null || last < 0) return;
  event.preventDefault();
  mark($("readout"), "aria-live", "polite");
  $("readout").removeAttribute("aria-hidden");
  chart.setCrosshairPosition(bars()[at].close, bars()[at].time, candles);
  reveal(at);
  point(at);
}

function reveal(at) {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (!range || (at > range.from + 5 && at < range.to - 5)) return;
  const half = (range.to - range.from) / 2;
  chart.timeScale().setVisibleLogicalRange({ from: at - half, to: at + half });
}

/** Shows the bar in which `ms` lies; false where it is not loaded. */
export function highlight(ms) {
  const at = indexAt(ms, bars());
  if (!chart || at < 0) return false;
  overlay.highlight(at);
  reveal(at);
  read(at);
  return true;
}

export function showPlan(found) {
  plan = found;
  rescene();
}

export function moveCursor(to) {
  cursor = to;
  draw();
}

/** The choices above the chart. */
export function choices(onChoice) {
  const { hello, chosen } = state;
  const symbols = hello?.symbols ?? [];
  keep($("symbol"), symbols, { key: (one) => one, build: (one) => make("option", { value: one }, one), fill: () => {} });
  $("symbol").value = chosen.symbol;
  const detected = new Set(hello?.detect_on ?? []);
  const timeframes = (hello?.timeframes ?? []).filter((one) => detected.size === 0 || detected.has(one) || one === chosen.timeframe);
  keep($("timeframes"), timeframes, {
    key: (one) => one,
    build: (one) => make("button", { type: "button", on: { click: () => onChoice(state.chosen.symbol, one) } }, one),
    fill: (node, one) => mark(node, "aria-pressed", one === chosen.timeframe),
  });
  hide($("replay"), !isReplay());
}
