// Feeds against their own limits, and the queues and stages of the line.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { state } from "./state.js";
import { clock, compact, micros, milliseconds, number, plural, span } from "./words.js";

const TONES = { LIVE: "good", CONNECTING: "wait", RECOVERING: "warn", STALE: "bad", DOWN: "bad", CLOSED: "flat" };

export function drawFeeds() {
  say($("line-time"), state.status?.line_time ? `line time ${clock(milliseconds(state.status.line_time))}` : "");
  keep($("feeds"), state.status?.feeds ?? [], {
    key: (one) => one.name,
    build: () => make("li", {}, make("i", { class: "dot" }), make("b"), make("span", { class: "status" }), make("span", { class: "age" }, make("i")), make("span", { class: "n" }), make("small")),
    fill: fillFeed,
  });
}

function fillFeed(node, one) {
  const [dot, name, status, age, words, small] = node.children;
  const part = one.age_s === null || !one.limit_s ? 0 : one.age_s / one.limit_s;
  const colour = TONES[one.status] ?? "wait";
  mark(dot, "data-tone", colour);
  say(name, one.name);
  say(status, `${one.status}${one.simulated ? ", simulated" : ""}`);
  age.firstElementChild.style.transform = `scaleX(${Math.min(1, part)})`;
  age.style.visibility = one.limit_s ? "visible" : "hidden";
  mark(age, "data-tone", part >= 1 ? "bad" : part > 0.6 ? "warn" : "good");
  say(words, `${span(one.age_s)}${one.limit_s ? ` of ${span(one.limit_s)}` : ""}`);
  const counts = [[one.gaps, "gap"], [one.reconnects, "reconnect"]].filter(([count]) => count).map(([count, word]) => plural(count, word));
  if (one.withheld) counts.push(`${number(one.withheld, 0)} withheld`);
  say(small, [one.reason, plural(one.rows, "row"), ...counts].filter(Boolean).join(", "));
  mark(small, "title", small.textContent);
}

export function drawPipeline() {
  const found = state.queues;
  const loop = state.status?.loop;
  say($("loop"), loop || found ? `loop lag ${span(found?.loop_lag_s ?? loop.lag_s)}${loop ? `, ${number(loop.rss_mb, 0)} MB` : ""}` : "");
  keep($("queues"), found?.items ?? [], { key: (one) => one.stage, build: () => row(4), fill: fillQueue });
  hide($("spans"), !found?.stages.length);
  keep($("stages"), found?.stages ?? [], { key: (one) => one.stage, build: () => row(3), fill: fillStage });
}

const row = (cells) => make("tr", {}, make("th", { scope: "row" }), ...Array.from({ length: cells - 1 }, () => make("td", { class: "n" })));

function fillQueue(node, one) {
  const [stage, waiting, high, lost] = node.children;
  const part = one.capacity ? one.depth / one.capacity : 0;
  say(stage, one.stage);
  mark(stage, "title", one.stage);
  say(waiting, `${number(one.depth, 0)} / ${compact(one.capacity)}`);
  mark(waiting, "title", `${number(one.depth, 0)} of ${number(one.capacity, 0)}`);
  mark(waiting, "data-tone", part > 0.8 ? "bad" : part > 0.4 ? "warn" : "");
  say(high, number(one.high_water, 0));
  say(lost, number(one.dropped, 0));
  mark(lost, "data-tone", one.dropped ? "loss" : "flat");
}

function fillStage(node, one) {
  const [stage, middle, slow] = node.children;
  say(stage, one.stage);
  mark(stage, "title", plural(one.items, "item"));
  say(middle, micros(one.p50_us));
  say(slow, micros(one.p99_us));
}
