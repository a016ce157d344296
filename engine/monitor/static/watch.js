// What the engine sees in each symbol, on one line: price, phase and its side. A click shows the chart of it.

import { $, hide, keep, make, mark, say } from "./dom.js";
import { state } from "./state.js";
import { number, price, side } from "./words.js";

const MOST = 100;
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
let onChosen = () => {};

export function begin(onChoice) {
  onChosen = onChoice;
  $("watch").addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    const all = [...$("watch").querySelectorAll("button")];
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    event.preventDefault();
    next?.focus();
    next?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

export function draw() {
  const symbols = (state.hello?.symbols ?? []).slice(0, MOST);
  hide($("watch"), symbols.length < 2 || state.status === null);
  keep($("watch"), symbols, { key: (one) => one, build, fill });
}

function build(symbol) {
  const parts = [make("b"), make("span", { class: "at" }), make("i", { class: "way", "aria-hidden": "true" }), make("span", { class: "phase" })];
  return make("li", {}, make("button", { type: "button", on: { click: () => onChosen(symbol) } }, ...parts));
}

function fill(node, symbol) {
  const button = node.firstElementChild;
  const [name, at, way, letter] = button.children;
  const seen = phaseOf(symbol);
  const isChosen = symbol === state.chosen.symbol;
  say(name, symbol);
  say(at, price(state.prices.get(symbol)?.price));
  hide(way, !seen);
  mark(way, "data-way", seen?.direction < 0 ? "down" : "up");
  say(letter, seen?.phase ?? "–");
  mark(letter, "class", seen ? `phase p${seen.phase}` : "phase");
  mark(button, "aria-pressed", isChosen);
  mark(button, "title", seen ? `Phase ${seen.phase} of ${side(seen.direction)}, ${number(seen.confidence, 0)} %` : "No phase stands");
  // One stop of the Tab key for all of them; the arrow keys go on from there.
  button.tabIndex = isChosen ? 0 : -1;
}

/** Of the phases that stand on either side and on any timeframe the one that is most certain. */
export function phaseOf(symbol) {
  let best = null;
  for (const one of state.phases.values()) {
    if (one.symbol !== symbol || one.phase.length !== 1) continue;
    if (best === null || (one.confidence ?? 0) > (best.confidence ?? 0)) best = one;
  }
  return best;
}
