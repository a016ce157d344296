// When panels draw: at most four times a second together, and never while nobody looks.

const EVERY_MS = 250;
const panels = new Map();
const waiting = new Set();
let booked = false;
let drawn_ms = 0;

/** `topics` are the words after which `draw` has to be called. */
export function panel(topics, draw) {
  for (const topic of topics) panels.set(topic, [...(panels.get(topic) ?? []), draw]);
}

export function touched(...topics) {
  // Whoever looks again sees everything drawn anew.
  if (document.hidden) return;
  for (const topic of topics) for (const draw of panels.get(topic) ?? []) waiting.add(draw);
  book();
}

export function everything() {
  for (const draws of panels.values()) for (const draw of draws) waiting.add(draw);
  book();
}

/** How much waits to be drawn; bounded by the number of panels. */
export const backlog = () => waiting.size;

function book() {
  if (booked || document.hidden || waiting.size === 0) return;
  booked = true;
  setTimeout(() => requestAnimationFrame(flush), Math.max(0, EVERY_MS - (performance.now() - drawn_ms)));
}

function flush() {
  booked = false;
  drawn_ms = performance.now();
  const draws = [...waiting];
  waiting.clear();
  for (const draw of draws) draw();
  book();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) waiting.clear();
  else everything();
});
