// The colours of the style sheet, for what is drawn on canvases.

const NAMES = ["paper", "panel", "ink", "soft", "faint", "line", "grid", "up", "down", "up-soft", "down-soft", "bull", "bear", "stop", "target", "exit", "accent", "warn-fill", "hot-fill", "bad-fill", "pA", "pB", "pC", "pD", "pE", "shade"];

export const paint = {};

export function readPaint() {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) paint[name] = style.getPropertyValue(`--${name}`).trim();
  return paint;
}

/** Calls `listener` when the person changes between dark and light. */
export function onTheme(listener) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPaint();
    listener();
  });
}
