// The strip of alerts: the newest on one line, all of them in a dialog.

import { $, keep, make, mark, say } from "./dom.js";
import { marketNow, state } from "./state.js";
import { when } from "./words.js";

const LINE = 6;
const TONES = { critical: "bad", warning: "warn", info: "flat" };

export function begin() {
  $("alerts-all").addEventListener("click", () => {
    draw();
    $("all-alerts").showModal();
  });
}

const key = (one) => `${one.time_ms}|${one.code}|${one.text}`;

export function draw() {
  const newest = [...state.alerts].reverse();
  say($("alerts-count"), newest.length);
  mark($("alerts-all"), "data-tone", newest.some((one) => one.level === "critical") ? "bad" : newest.some((one) => one.level === "warning") ? "warn" : "flat");
  keep($("alerts-line"), newest.length ? newest.slice(0, LINE) : [{ time_ms: null, level: "info", code: "none", text: "No alerts" }], { key, build, fill });
  keep($("alerts-list"), newest, { key, build, fill });
}

const build = () => make("li", {}, make("i", { class: "dot" }), make("time"), make("span"));

function fill(node, one) {
  const [dot, time, text] = node.children;
  mark(dot, "data-tone", TONES[one.level] ?? "flat");
  mark(dot, "title", one.level);
  say(time, one.time_ms === null ? "" : when(one.time_ms, marketNow()));
  say(text, one.text);
  mark(node, "title", one.text);
}
