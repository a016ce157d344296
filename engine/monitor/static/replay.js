// Going through a finished run again, bar by bar: what had been known at each bar, and no more.

import { $, mark, say } from "./dom.js";
import { book } from "./bars.js";
import { moveCursor } from "./chart.js";
import * as log from "./log.js";
import { minute } from "./words.js";

let at = null;
let ticking = null;

export function begin() {
  $("replay-play").addEventListener("click", () => (ticking ? halt() : play()));
  $("replay-step").addEventListener("click", () => step(1));
  $("replay-back").addEventListener("click", () => step(-1));
  $("replay-event").addEventListener("click", nextEvent);
  $("replay-at").addEventListener("input", () => go(Number($("replay-at").value)));
  $("replay-speed").addEventListener("change", () => ticking && play());
  document.addEventListener("visibilitychange", () => document.hidden && halt());
}

/** After other bars were loaded: everything is shown until somebody goes back. */
export function anew() {
  halt();
  at = null;
  $("replay-at").max = String(book.bars.length);
  $("replay-at").value = String(book.bars.length);
  moveCursor(null);
  tell();
}

/** A run that goes on brings bars: whoever looks at its end stays there. */
export function draw() {
  if (at !== null) return;
  $("replay-at").max = String(book.bars.length);
  $("replay-at").value = String(book.bars.length);
  tell();
}

function go(to) {
  const last = book.bars.length;
  at = Math.min(last, Math.max(1, to));
  $("replay-at").max = String(last);
  $("replay-at").value = String(at);
  moveCursor(at >= last ? null : at);
  if (at >= last) halt();
  tell();
}

const now = () => at ?? book.bars.length;

function step(by) {
  halt();
  go(now() + by);
}

function play() {
  halt();
  if (now() >= book.bars.length) go(Math.max(1, Math.floor(book.bars.length / 4)));
  const perSecond = Number($("replay-speed").value);
  ticking = setInterval(() => go(now() + Math.max(1, perSecond / 10)), 1000 / Math.min(10, perSecond));
  say($("replay-play"), "Stop");
  mark($("replay-play"), "aria-pressed", "true");
}

function halt() {
  clearInterval(ticking);
  ticking = null;
  say($("replay-play"), "Play");
  mark($("replay-play"), "aria-pressed", "false");
}

/** To the bar at whose close the next event became known; from the end it starts over. */
function nextEvent() {
  halt();
  const from_ms = now() >= book.bars.length ? 0 : book.bars[now() - 1].close_ms;
  const known = book.events.map((one) => one.known_ms).filter((ms) => ms > from_ms).sort((one, other) => one - other);
  for (const ms of known) {
    const found = book.bars.findIndex((bar) => bar.close_ms >= ms);
    if (found >= 0) {
      go(found + 1);
      return;
    }
  }
  go(book.bars.length);
}

function tell() {
  const bar = book.bars[now() - 1];
  say($("replay-time"), bar ? minute(bar.close_ms) : "");
  log.until(at === null || at >= book.bars.length ? null : bar?.close_ms ?? null);
}
