// What is drawn over the candles, in bar numbers: phases, ranges, marks, fills, stops and targets.
// Nothing here touches the chart: the same facts and the same cursor give the same scene.

import { indexAt } from "./bars.js";
import { milliseconds } from "./words.js";

const FAILURES = new Set(["SOS_FAILED", "SPRING_FAILED", "RANGE_FAILED", "SOFT_STOP", "BREAKOUT_WEAK", "SHAKE", "SOS_MINOR", "LPS_INSIDE", "SUPPLY_WARNING", "RANGE_FORMED", "UT"]);
const MINOR = 0.45;

/** `bars` end at the cursor; `standing` are the ranges in which a phase stands, as `direction|start_ms`; `isKnown` draws marks where they were confirmed; `plan` is a campaign's detail. */
export function sceneOf({ bars, events, ranges, fills, standing, plan, isKnown }) {
  if (bars.length === 0) return { runs: [], lines: [], marks: [], fills: [], trails: [] };
  const now_ms = bars.at(-1).close_ms;
  return {
    runs: runsOf(bars), lines: linesOf(bars, ranges, new Set(standing), now_ms), marks: marksOf(bars, events, now_ms, isKnown),
    fills: fillsOf(bars, fills, now_ms), trails: trailsOf(bars, plan, now_ms),
  };
}

function runsOf(bars) {
  const runs = [];
  for (let at = 0; at < bars.length; at += 1) {
    const { phase, direction } = bars[at];
    const last = runs.at(-1);
    if (last && last.phase === phase && last.direction === direction) last.to = at;
    else runs.push({ phase, direction, from: at, to: at });
  }
  return runs.filter((one) => one.phase >= "A" && one.phase <= "E" && one.phase.length === 1);
}

function linesOf(bars, ranges, standing, now_ms) {
  const lines = [];
  for (const one of ranges) {
    const from = indexAt(one.start_ms, bars);
    if (one.start_ms > now_ms) continue;
    const open = one.end_ms === null || one.end_ms >= now_ms || standing.has(`${one.direction}|${one.start_ms}`);
    const to = open ? bars.length - 1 : indexAt(one.end_ms, bars);
    if (to < 0) continue;
    if (one.resistance !== null) lines.push({ from: Math.max(0, from), to, price: one.resistance, word: "creek", open });
    if (one.support !== null) lines.push({ from: Math.max(0, from), to, price: one.support, word: "ice", open });
  }
  return lines;
}

function marksOf(bars, events, now_ms, isKnown) {
  const replaced = new Set(events.filter((one) => one.supersedes && one.known_ms <= now_ms).map((one) => one.supersedes));
  const marks = [];
  for (const one of events) {
    if (one.known_ms > now_ms) continue;
    const points = indexAt(one.event_ms, bars);
    const confirmed = indexAt(one.confirm_ms, bars);
    const at = isKnown ? confirmed : points;
    if (at < 0) continue;
    const pointed = bars[Math.max(0, points)];
    const score = one.score ?? one.confidence;
    marks.push({
      id: one.event_id, at, from: isKnown && points >= 0 && points !== confirmed ? points : null, price: one.price,
      above: Math.abs(pointed.high - one.price) < Math.abs(pointed.low - one.price), name: (one.name || one.kind).replaceAll("_", " "),
      confidence: score === null || score === undefined ? null : Math.round(score), direction: one.direction,
      faded: replaced.has(one.event_id), weight: FAILURES.has(one.kind) ? MINOR : 1,
    });
  }
  return marks.sort((one, other) => other.weight - one.weight || (other.confidence ?? 0) - (one.confidence ?? 0));
}

function fillsOf(bars, fills, now_ms) {
  const found = [];
  for (const one of fills) {
    const at = indexAt(one.time_ms, bars);
    if (at < 0 || one.time_ms > now_ms) continue;
    found.push({ at, price: Number(one.price), role: (one.role || "EXIT").toLowerCase(), isBuy: one.side === "BUY" });
  }
  return found;
}

/** Stops as steps and targets as lines of one campaign, each from when it was asked for. */
function trailsOf(bars, plan, now_ms) {
  const trails = [];
  for (const one of plan?.exit_plans ?? []) {
    const known = one.stops.filter((stop) => stop.verdict !== "Refused" && milliseconds(stop.time) <= now_ms);
    if (known.length === 0) continue;
    const from = Math.max(0, indexAt(milliseconds(known[0].time), bars));
    const gone = plan.campaign?.closed ? indexAt(milliseconds(plan.campaign.closed), bars) : bars.length - 1;
    known.forEach((stop, at) => {
      const next = known[at + 1];
      trails.push({ kind: "stop", from: Math.max(0, indexAt(milliseconds(stop.time), bars)), to: next ? indexAt(milliseconds(next.time), bars) : gone, price: Number(stop.price) });
    });
    for (const target of one.targets) {
      const hit = target.time ? indexAt(milliseconds(target.time), bars) : gone;
      trails.push({ kind: "target", from, to: target.hit ? hit : gone, price: Number(target.price), word: `T${target.number}` });
    }
  }
  return trails.filter((one) => one.to >= one.from && one.to >= 0);
}

