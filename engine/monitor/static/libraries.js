// The two chart libraries. They are installed, not part of this source; without them tables still work.

const CHARTS = "/static/vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
const PLOTS = "/static/vendor/uplot/uPlot.esm.js";
const PLOTS_STYLE = "/static/vendor/uplot/uPlot.min.css";

export const INSTALL = "make page";

/** Both, or null for each that is not installed. */
export async function libraries() {
  const [charts, plots] = await Promise.all([there(CHARTS), there(PLOTS)]);
  if (plots) {
    const style = document.createElement("link");
    Object.assign(style, { rel: "stylesheet", href: PLOTS_STYLE });
    document.head.prepend(style);
  }
  return { charts, plots: plots?.default ?? null };
}

/** A module that is missing or broken is one thing here: the page goes on without it. */
const there = (address) => import(address).catch(() => null);
