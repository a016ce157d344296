// Feeds against their own limits, and the queues and stages of the line.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { state } from "./state.js";
import { compact, micros, milliseconds, number, plural, span, when } from "./words.js";

const TONES = { LIVE: "good", CONNECTING: "wait", RECOVERING: "warn", STALE: "bad", DOWN: "bad", CLOSED: "flat" };

const known = (value) => value !== null && value !== undefined;

export function drawFeeds() {
  say($("line-time"), state.status?.line_time ? `line time ${when(milliseconds(state.status.line_time), state.serverNow())}` : "");
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
  say(words, one.age_s === null ? (one.kind === "recorded" ? "recorded" : "nothing heard") : `${span(one.age_s)}${one.limit_s ? ` of ${span(one.limit_s)}` : " old"}`);
  mark(words, "title", one.limit_s ? "Age of the last row, and the age at which the feed is stale" : "Age of the last row; this feed is never called stale");
  const counts = [[one.gaps, "gap"], [one.sequence_breaks, "break in the numbers", "breaks in the numbers"], [one.reconnects, "reconnect"]].filter(([count]) => count).map((told) => plural(...told));
  if (one.withheld) counts.push(`${number(one.withheld, 0)} withheld`);
  if (one.conflated) counts.push(`${number(one.conflated, 0)} joined`);
  if (known(one.clock_skew_s)) counts.push(`clock ${one.clock_skew_s < 0 ? "behind" : "ahead"} by ${span(Math.abs(one.clock_skew_s))}`);
  say(small, [one.reason, ...counts, plural(one.rows, "row")].filter(Boolean).join(", "));
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
  say(waiting, known(one.capacity) ? `${number(one.depth, 0)} / ${compact(one.capacity)}` : number(one.depth, 0));
  mark(waiting, "title", `${number(one.depth, 0)} of ${known(one.capacity) ? number(one.capacity, 0) : "any number"}${one.conflated ? `; ${number(one.conflated, 0)} were joined with an earlier one` : ""}`);
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
