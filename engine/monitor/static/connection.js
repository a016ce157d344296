// The one WebSocket: heard from every second or it is lost, back by itself, whole again after a gap.

const PING_MS = 1000;
const LOST_MS = 2500;
const DEAD_MS = 6000;
const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000];
const SLOW = 1013;
const SIGNED_OUT = 4401;

export class Connection {
  /** `told` has hello, snapshot, items, lost, beat and signedOut; each is called with what its name says. */
  constructor(told) {
    this.told = told;
    this.socket = null;
    this.sequence = null;
    this.attempts = 0;
    this.heard_ms = null;
    this.wanted = false;
    this.bars = [];
    this.missed = false;
    setInterval(() => this.#beat(), PING_MS / 2);
    document.addEventListener("visibilitychange", () => this.#looked());
    addEventListener("online", () => this.#now());
    addEventListener("offline", () => this.#drop());
  }

  start() {
    this.wanted = true;
    this.#now();
  }

  stop() {
    this.wanted = false;
    clearTimeout(this.retry);
    this.#drop();
  }

  /** Which bars the server should push. */
  follow(pairs) {
    this.bars = pairs;
    this.#send({ type: "subscribe", bars: document.hidden ? [] : pairs });
  }

  get age_ms() {
    return this.heard_ms === null ? null : performance.now() - this.heard_ms;
  }

  get isLost() {
    return this.socket?.readyState !== WebSocket.OPEN || this.sequence === null || this.age_ms > LOST_MS;
  }

  #now() {
    if (!this.wanted || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return;
    clearTimeout(this.retry);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.socket = socket;
    this.opened_ms = performance.now();
    this.sequence = null;
    socket.onmessage = (message) => socket === this.socket && this.#hear(JSON.parse(message.data));
    socket.onclose = (close) => socket === this.socket && this.#closed(close.code);
  }

  #closed(code) {
    this.socket = null;
    this.sequence = null;
    this.told.beat();
    if (!this.wanted) return;
    if (code === SIGNED_OUT) {
      this.told.signedOut();
      return;
    }
    const wait = code === SLOW ? 2000 : BACK_OFF_MS[Math.min(this.attempts, BACK_OFF_MS.length - 1)];
    this.attempts += 1;
    // Where the server was restarted every page comes back: not all in the same instant.
    this.retry = setTimeout(() => this.#now(), wait * (0.75 + 0.5 * Math.random()));
    if (this.attempts > 1) this.told.refused();
  }

  #drop() {
    const socket = this.socket;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.#closed(1006);
  }

  #hear(message) {
    this.heard_ms = performance.now();
    if (message.type === "hello") this.told.hello(message);
    else if (message.type === "snapshot") this.#whole(message);
    else if (message.type === "delta") this.#part(message);
  }

  #whole({ seq, state }) {
    this.sequence = seq;
    this.attempts = 0;
    this.asked = false;
    this.missed = false;
    this.told.snapshot(state);
    this.follow(this.bars);
    this.told.beat();
  }

  #part({ seq, items }) {
    if (this.sequence === null || this.asked) return;
    if (seq !== this.sequence + 1) {
      this.#whole_please();
      return;
    }
    this.sequence = seq;
    if (!document.hidden) this.told.items(items);
    else {
      // Nobody looks: only what the tab's title says is kept, the rest comes as a snapshot later.
      this.missed = true;
      this.told.unseen(items);
    }
  }

  #whole_please() {
    this.asked = true;
    this.#send({ type: "snapshot" });
  }

  #looked() {
    this.follow(this.bars);
    if (document.hidden) return;
    if (this.socket?.readyState === WebSocket.OPEN && this.missed) this.#whole_please();
    else this.#now();
  }

  #beat() {
    this.told.beat();
    const socket = this.socket;
    if (!socket) return;
    const quiet_ms = performance.now() - Math.max(this.opened_ms, this.heard_ms ?? 0);
    if (quiet_ms > DEAD_MS && !document.hidden) this.#drop();
    else if (socket.readyState === WebSocket.OPEN && performance.now() - (this.pinged_ms ?? 0) >= PING_MS) {
      this.pinged_ms = performance.now();
      this.#send({ type: "ping" });
    }
  }

  #send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
