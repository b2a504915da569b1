// Something that ends by itself, told second by second.

const TICK_MS = 250;

export class Countdown {
  /** `tick` is called with the seconds left, each once, and with 0 at the end. */
  constructor(tick) {
    this._tick = tick;
    this._until = 0;
    this._shown = 0;
    this._timer = 0;
  }

  get isRunning() {
    return this._until > performance.now();
  }

  /** Run for so many seconds from now; a run that is the same but for the way here is not started anew. */
  set(seconds) {
    const until = performance.now() + seconds * 1000;
    if (seconds > 0 && this.isRunning && Math.abs(until - this._until) < 1500) return;
    this._until = seconds > 0 ? until : 0;
    clearInterval(this._timer);
    this._timer = setInterval(() => this._turn(), TICK_MS);
    this._turn();
  }

  /** Run for at least so many seconds from now. */
  extend(seconds) {
    if (performance.now() + seconds * 1000 > this._until) this.set(seconds);
  }

  _turn() {
    const left = Math.max(0, Math.ceil((this._until - performance.now()) / 1000));
    if (left === 0) clearInterval(this._timer);
    if (left === this._shown) return;
    this._shown = left;
    this._tick(left);
  }
}
