// The bars of the chosen symbol and timeframe, and what stands on them: events, ranges, own fills.

import { look } from "./server.js";
import { state } from "./state.js";

export const FIRST = 600;
export const FIRST_REPLAY = 2000;
export const MOST = 5000;
const OLDER = 600;
const TRIMMED = 500;

export const book = { symbol: "", timeframe: "", bars: [], older: false, events: [], ranges: [], fills: [], version: 0, isLoading: false };

let asked = 0;

function opened(columns, rows) {
  return rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
}

/** The chart wants whole seconds that rise: bars of ticks may open within one. */
function timed(bars, from = 0) {
  for (let at = from; at < bars.length; at += 1) bars[at].time = Math.max(Math.floor(bars[at].open_ms / 1000), at ? bars[at - 1].time + 1 : 0);
  return bars;
}

/** The last bar that opened at or before `ms`; -1 where the book begins later. */
export function indexAt(ms, bars = book.bars) {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle].open_ms <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Everything anew. A later call wins over an earlier one that is still under way. */
export async function load(symbol, timeframe, limit) {
  const mine = (asked += 1);
  Object.assign(book, { isLoading: true });
  const found = await look("/bars", { symbol, timeframe, limit });
  if (mine !== asked) return false;
  if (found) {
    const bars = timed(opened(found.columns, found.rows));
    Object.assign(book, { symbol, timeframe, bars, older: found.older, events: [], ranges: [], fills: [] });
    await standing(mine);
  }
  if (mine !== asked) return false;
  Object.assign(book, { isLoading: false, version: book.version + 1 });
  return found !== null;
}

async function standing(mine) {
  const { symbol, timeframe } = book;
  const from_ms = book.bars[0]?.open_ms;
  const [events, ranges, fills] = await Promise.all([
    look("/events", { symbol, timeframe, from_ms, limit: 1000 }), look("/ranges", { symbol, timeframe, limit: 100 }), look("/fills", { symbol, limit: 500 }),
  ]);
  if (mine !== asked) return;
  book.events = events?.items ?? book.events;
  book.ranges = ranges?.items ?? book.ranges;
  book.fills = fills?.items ?? book.fills;
}

/** Marks, ranges and fills again, where a delta says that they changed. */
export async function refresh() {
  if (!book.symbol || book.isLoading) return;
  await standing(asked);
  book.version += 1;
}

export async function loadOlder() {
  if (!book.older || book.isLoading || book.bars.length === 0 || book.bars.length >= MOST) return false;
  const mine = asked;
  book.isLoading = true;
  const found = await look("/bars", { symbol: book.symbol, timeframe: book.timeframe, limit: Math.min(OLDER, MOST - book.bars.length), before_ms: book.bars[0].open_ms });
  if (mine !== asked) return false;
  if (found) {
    book.bars = timed([...opened(found.columns, found.rows), ...book.bars]);
    book.older = found.older && found.rows.length > 0;
    await standing(mine);
  }
  Object.assign(book, { isLoading: false, version: book.version + 1 });
  return true;
}

/** Takes pushed bars in; says which index changed first, or -1. */
export function push({ symbol, timeframe, columns, rows }) {
  if (symbol !== book.symbol || timeframe !== book.timeframe || book.isLoading) return -1;
  let first = -1;
  for (const bar of opened(columns, rows)) {
    const at = indexAt(bar.open_ms);
    const isThere = at >= 0 && book.bars[at].open_ms === bar.open_ms;
    if (!isThere && at !== book.bars.length - 1) continue;
    const where = isThere ? at : book.bars.push(bar) - 1;
    if (isThere) book.bars[at] = bar;
    timed(book.bars, where);
    first = first < 0 ? where : Math.min(first, where);
  }
  if (book.bars.length > MOST) {
    book.bars.splice(0, TRIMMED);
    book.older = true;
    book.version += 1;
    return 0;
  }
  return first;
}

export function takeEvent(event) {
  if (event.symbol === book.symbol && event.timeframe === book.timeframe) book.events.push(event);
}

export function takeFill(fill) {
  if (fill.symbol === book.symbol && fill.report === "Fill") book.fills.push(fill);
}

export const campaignsHere = () => state.campaigns.filter((one) => one.symbol === book.symbol && one.timeframe === book.timeframe);
