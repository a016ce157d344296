// Draws a scene over the candles: shading behind the bars, marks and levels in front of them.

const GAP = 7;
const FONT = "600 11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
const SMALL = "500 10.5px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";

/** A series primitive. `paint` holds the colours, by their names in the style sheet. */
export class Overlay {
  constructor(paint) {
    this.paint = paint;
    this.scene = { runs: [], lines: [], marks: [], fills: [], trails: [] };
    this.bars = [];
    this.highlighted = null;
    this.drawn = { marks: 0, labels: 0, runs: 0, fills: 0 };
    this.views = [this.#view("bottom", (...all) => this.#behind(...all)), this.#view("top", (...all) => this.#before(...all))];
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  detached() {
    this.chart = this.series = null;
  }

  paneViews() {
    return this.views;
  }

  show(scene, bars) {
    Object.assign(this, { scene, bars });
    this.requestUpdate?.();
  }

  highlight(at) {
    this.highlighted = at;
    this.requestUpdate?.();
  }

  #view(zOrder, draw) {
    const renderer = { draw: (target) => target.useMediaCoordinateSpace(({ context, mediaSize }) => this.chart && draw(context, mediaSize)) };
    return { zOrder: () => zOrder, renderer: () => renderer };
  }

  #x(at) {
    return this.chart.timeScale().logicalToCoordinate(at);
  }

  get #half() {
    return this.chart.timeScale().options().barSpacing / 2;
  }

  #behind(context, { width, height }) {
    const half = this.#half;
    for (const { phase, left, right } of this.#shown(width)) {
      context.fillStyle = this.paint[`p${phase}`];
      context.globalAlpha = Number(this.paint.shade);
      context.fillRect(left, 0, right - left, height);
      context.globalAlpha = 1;
    }
    if (this.highlighted !== null) {
      context.fillStyle = this.paint.accent;
      context.globalAlpha = 0.2;
      context.fillRect(this.#x(this.highlighted) - Math.max(half, 3), 0, Math.max(half * 2, 6), height);
      context.globalAlpha = 1;
    }
  }

  /** The phases in sight, as spans of pixels. */
  #shown(width) {
    const half = this.#half;
    const spans = this.scene.runs.map((one) => ({ ...one, left: Math.max(0, this.#x(one.from) - half), right: Math.min(width, this.#x(one.to) + half) }));
    return spans.filter((one) => one.right > 0 && one.left < width);
  }

  #before(context, { width, height }) {
    this.#phases(context, width);
    const words = this.#levels(context, width);
    const taken = this.#marks(context, width, height);
    for (const one of words) this.#named(context, one, taken);
    this.#fills(context, width);
  }

  #phases(context, width) {
    const shown = this.#shown(width);
    this.drawn.runs = shown.length;
    for (const { phase, direction, left, right } of shown) {
      context.fillStyle = this.paint[`p${phase}`];
      context.globalAlpha = direction < 0 ? 0.5 : 0.9;
      context.fillRect(left, 0, right - left, 3);
      context.globalAlpha = 1;
      if (right - left > 18) this.#plain(context, phase, (left + right) / 2, 16);
    }
  }

  /** Gives back the words that belong to the lines, which go where the marks leave room. */
  #levels(context, width) {
    const half = this.#half;
    const words = [];
    for (const one of [...this.scene.lines, ...this.scene.trails]) {
      const y = this.series.priceToCoordinate(one.price);
      const left = this.#x(one.from) - half;
      const right = this.#x(one.to) + half;
      if (y === null || right < 0 || left > width) continue;
      const isRange = one.kind === undefined;
      context.strokeStyle = isRange ? this.paint.soft : this.paint[one.kind];
      context.globalAlpha = isRange ? (one.open ? 0.85 : 0.4) : 0.95;
      context.lineWidth = one.kind === "stop" ? 1.5 : 1;
      context.setLineDash(isRange ? [6, 4] : one.kind === "target" ? [2, 3] : []);
      context.beginPath();
      context.moveTo(left, Math.round(y) + 0.5);
      context.lineTo(right, Math.round(y) + 0.5);
      context.stroke();
      context.setLineDash([]);
      if (one.word && (one.open || !isRange) && right - left > 60) words.push({ word: one.word, left: Math.max(left, 0) + 5, right: Math.min(right, width) - 5, y: y - 5, colour: context.strokeStyle });
      context.globalAlpha = 1;
    }
    return words;
  }

  /** At the left end of its line, else at its right end, its middle, or nowhere. */
  #named(context, { word, left, right, y, colour }, taken) {
    context.font = SMALL;
    const size = context.measureText(word).width;
    for (const x of [left, right - size, (left + right - size) / 2]) {
      const box = { left: x - 2, right: x + size + 2, top: y - 10, bottom: y + 3 };
      if (box.top < 20 || taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      this.#word(context, word, x, y, colour, SMALL, "left");
      return;
    }
  }

  #marks(context, width, height) {
    const taken = [];
    this.drawn.marks = this.drawn.labels = 0;
    for (const one of this.scene.marks) {
      const x = this.#x(one.at);
      const bar = this.bars[one.at];
      if (x === null || !bar || x < -40 || x > width + 40) continue;
      const edge = this.series.priceToCoordinate(one.above ? bar.high : bar.low);
      if (edge === null) continue;
      const way = one.above ? -1 : 1;
      const y = edge + way * GAP;
      const colour = one.direction < 0 ? this.paint.bear : this.paint.bull;
      context.globalAlpha = one.faded ? 0.5 : 0.4 + 0.6 * one.weight;
      if (one.from !== null) this.#thread(context, one, x, y, colour);
      context.fillStyle = colour;
      context.strokeStyle = this.paint.panel;
      context.lineWidth = 1;
      context.beginPath();
      context.arc(x, y, one.weight < 1 ? 2.5 : 3.5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      this.drawn.marks += 1;
      this.#label(context, one, { x, y: y + way * 13, colour, taken, height });
      context.globalAlpha = 1;
    }
    return taken;
  }

  #label(context, one, { x: middle, y, colour, taken, height }) {
    const words = one.weight < 1 && this.#half < 5 ? "" : one.confidence === null ? one.name : `${one.name} ${one.confidence}`;
    if (!words) return;
    context.font = one.weight < 1 ? SMALL : FONT;
    const half = context.measureText(words).width / 2 + 3;
    // A word at the left edge is moved in rather than cut.
    const x = middle < 0 ? middle : Math.max(middle, half);
    const box = { left: x - half, right: x + half, top: y - 8, bottom: y + 8 };
    if (box.top < 20 || box.bottom > height) return;
    if (taken.some((other) => overlaps(box, other))) return;
    taken.push(box);
    this.drawn.labels += 1;
    this.#word(context, words, x, y + 4, colour, context.font);
  }

  /** From the bar an event points at to the bar at which it could be known. */
  #thread(context, one, x, y, colour) {
    const from = this.#x(one.from);
    const at = this.series.priceToCoordinate(one.price);
    if (from === null || at === null) return;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash([1, 3]);
    context.beginPath();
    context.moveTo(from, at);
    context.lineTo(x, y);
    context.stroke();
    context.setLineDash([]);
  }

  #fills(context, width) {
    this.drawn.fills = 0;
    for (const one of this.scene.fills) {
      const x = this.#x(one.at);
      const y = this.series.priceToCoordinate(one.price);
      if (x === null || y === null || x < -10 || x > width + 10) continue;
      this.drawn.fills += 1;
      context.fillStyle = this.paint[{ entry: "ink", stop: "stop", target: "target" }[one.role] ?? "exit"];
      context.strokeStyle = this.paint.panel;
      context.lineWidth = 1.5;
      context.beginPath();
      if (one.role === "entry") shape(context, x, y, one.isBuy ? [[-5, 9], [0, 0], [5, 9]] : [[-5, -9], [0, 0], [5, -9]]);
      else if (one.role === "target") shape(context, x, y, [[0, -5], [5, 0], [0, 5], [-5, 0]]);
      else if (one.role === "stop") shape(context, x, y, [[-4, -6], [0, -2], [4, -6], [6, -4], [2, 0], [6, 4], [4, 6], [0, 2], [-4, 6], [-6, 4], [-2, 0], [-6, -4]]);
      else shape(context, x, y, [[-4, -4], [4, -4], [4, 4], [-4, 4]]);
      context.closePath();
      context.stroke();
      context.fill();
    }
  }

  #plain(context, words, x, y) {
    context.font = FONT;
    context.textAlign = "center";
    context.fillStyle = this.paint.soft;
    context.fillText(words, x, y);
  }

  /** Text with a halo of the background, so that candles behind it do not hurt it. */
  #word(context, words, x, y, colour, font, align = "center") {
    context.font = font;
    context.textAlign = align;
    context.lineJoin = "round";
    context.strokeStyle = this.paint.panel;
    context.lineWidth = 3;
    context.strokeText(words, x, y);
    context.fillStyle = colour;
    context.fillText(words, x, y);
  }
}

const overlaps = (one, other) => one.left < other.right && one.right > other.left && one.top < other.bottom && one.bottom > other.top;

function shape(context, x, y, points) {
  points.forEach(([right, down], at) => (at ? context.lineTo(x + right, y + down) : context.moveTo(x + right, y + down)));
}
