// Numbers, times and names as people read them. `–` stands where nothing is known.

export const UNKNOWN = "–";
const MINUS = "−";

const whole = (value) => value === null || value === undefined || value === "" || Number.isNaN(Number(value));

export function number(value, digits = 2, { signed = false } = {}) {
  if (whole(value)) return UNKNOWN;
  const size = Math.abs(Number(value)).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const isNothing = Number(size.replaceAll(",", "")) === 0;
  if (Number(value) < 0 && !isNothing) return MINUS + size;
  return signed && !isNothing ? `+${size}` : size;
}

export const money = (value, currency = "", options = {}) =>
  whole(value) ? UNKNOWN : number(value, Math.abs(Number(value)) >= 100000 && !options.exact ? 0 : 2, options) + (currency ? ` ${currency}` : "");

/** As many digits as the price has meaning for: 67,412.5 and 1.08341. */
export function price(value) {
  if (whole(value)) return UNKNOWN;
  const size = Math.abs(Number(value));
  return number(value, size >= 10000 ? 1 : size >= 10 ? 2 : size >= 1 ? 4 : 6);
}

export const percent = (bp, digits = 2) => (whole(bp) ? UNKNOWN : `${number(Number(bp) / 100, digits)}\u00a0%`);

export const compact = (value) => (Number(value) >= 1000 ? `${Math.round(Number(value) / 1000)}k` : String(value));

/** `≥ 10 %` stays on one line. */
export const unbroken = (words) => String(words).replace(/(\d) (%|s|min|h)(?=\W|$)/g, "$1\u00a0$2").replace(/([≥<]|>=) (?=\d)/g, "$1\u00a0");

export const tone = (value) => (whole(value) || Number(value) === 0 ? "flat" : Number(value) > 0 ? "gain" : "loss");

/** A span in the largest unit that says enough: 850 ms, 4.2 s, 64 s, 12 min, 3 h. */
export function span(seconds) {
  if (whole(seconds)) return UNKNOWN;
  const value = Number(seconds);
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}

export function micros(value) {
  if (whole(value)) return UNKNOWN;
  const found = Number(value);
  if (found < 1000) return `${number(found, found < 10 ? 1 : 0)} µs`;
  return found < 1e6 ? `${number(found / 1000, found < 1e4 ? 1 : 0)} ms` : `${number(found / 1e6, 1)} s`;
}

export const milliseconds = (iso) => {
  if (typeof iso === "number") return iso;
  const found = Date.parse(iso ?? "");
  return Number.isNaN(found) ? null : found;
};

export const clock = (ms) => (ms === null || ms === undefined ? UNKNOWN : new Date(ms).toISOString().slice(11, 19));
export const minute = (ms) => (ms === null || ms === undefined ? UNKNOWN : new Date(ms).toISOString().slice(0, 16).replace("T", " "));

/** The time alone on the (UTC) day of `now`, with the day in its year, the day alone in another. */
export function when(ms, now = Date.now()) {
  if (ms === null || ms === undefined) return UNKNOWN;
  const [stamp, today] = [new Date(ms).toISOString(), new Date(now).toISOString()];
  if (stamp.slice(0, 10) === today.slice(0, 10)) return stamp.slice(11, 19);
  return stamp.slice(0, 4) === today.slice(0, 4) ? stamp.slice(5, 16).replace("T", " ") : stamp.slice(0, 10);
}

export const plural = (count, one, many = `${one}s`) => `${Number(count).toLocaleString("en-US")} ${Number(count) === 1 ? one : many}`;

const MIRRORED = { SPRING: "UTAD", SOS: "SOW", LPS: "LPSY", SC: "BC", PS: "PSY", UT: "UT" };

/** The leg's word on its side of the market. */
export const leg = (name, direction) => (direction < 0 ? MIRRORED[name] ?? name : name);

/** A cause without the ids of events in it. */
export const plain = (cause) => `${cause ?? ""}`.split(" ").filter((word) => word.split(":").length < 4).join(" ").replaceAll("_", " ");

export const side = (direction) => (direction > 0 ? "accumulation" : direction < 0 ? "distribution" : "no side");
