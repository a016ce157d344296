// Why something was not done, in words: the codes of the strategies' checks and of the gate, with their numbers.

import { money as sum, number, plural } from "./words.js";

const PHASES = ["warm-up", "no phase", "phase A", "phase B", "phase C", "phase D", "phase E"];
const phase = (value) => PHASES[Number(value)] ?? `phase ${value}`;
const times = (value) => `${number(value, 2)}×`;
const whole = (value) => number(value, 0);
const least = (what, show) => (value, limit) => `${what} ${show(value)}, needs ${show(limit)}`;
const most = (what, show) => (value, limit) => `${what} ${show(value)}, at most ${show(limit)}`;
const share = (value) => `${number(value, 1)}\u00a0%`;
const plain = (value) => number(value, 2);
const money = (value) => sum(value);

/** Each takes what was found and the limit. */
const WORDS = {
  VOL_MISSING: () => "no volume to judge it by",
  VOL_ANOMALY: most("volume is", times),
  VOL_SPRING: (value, limit) => `a spring on ${times(value)} volume, wants less than ${times(limit)}`,
  VOL_TEST: (value, limit) => `a test on ${times(value)} volume, wants less than its spring's ${times(limit)}`,
  SPRING_UNTESTED: (value) => (Number(value) === 1 ? "a shakeout (type 1 spring) is not bought" : `a type ${whole(value)} spring is bought on its test alone`),
  PHASE_PATTERN: (value, limit) => `comes in ${phase(value)}, belongs to ${phase(limit)}`,
  PHASE_CONFIDENCE: least("phase is certain to", share),
  PHASE_PREREQUISITE: () => "no event of its range came before it",
  LEVEL_WIDTH: least("range is as wide as", share),
  LEVEL_DURATION: least("bars in range", whole),
  LEVEL_QUALITY: least("quality of the range", whole),
  LEVEL_STRENGTH: least("strength of its level", whole),
  LEVEL_TARGET: (value, limit) => `target ${plain(value)} is not beyond the range's ${plain(limit)}`,
  RISK_STOP_NEAR: least("stop is as far as", plain),
  RISK_STOP_FAR: most("stop is as far as", plain),
  RR_MIN: (value, limit) => `reward ${number(value, 1)} R, needs ${number(limit, 1)} R`,
  STRAT_SCORE: least("score", whole),
  STRAT_SOS_OFF: () => "signs of strength are not bought: sos_entry is off",
  STRAT_VOLATILE: (value, limit) => `volatility is above ${share(value)} of the last bars, wants less than ${share(limit)}`,
  STRAT_BLACKOUT: () => "a blackout of the configuration covers this time",
  STRAT_COOLDOWN: (value) => `${plural(value, "bar")} of cool-down left after a loss`,
  DATA_TAINT: () => "a doubtful bar stands behind it",
  RISK_TRADE: most("it would risk", money),
  RISK_CAMPAIGN: most("its campaign would risk", money),
  DAILY_LOSS: (value, limit) => `the day has lost ${money(value)}, entries stop at ${money(limit)}`,
  DRAWDOWN: (value, limit) => `${money(value)} below the highest equity, entries stop at ${money(limit)}`,
};

/** Null where a code has no words of its own here. */
export function worded(code, value, limit) {
  const words = WORDS[`${code}`.toUpperCase()];
  return words ? words(value, limit) : null;
}
