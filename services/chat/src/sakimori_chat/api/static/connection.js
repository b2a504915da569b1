// How messages come and go: by WebSocket where that works, by polling where and while it does not.

const POLL_MS = 3000;
const MAX_WAIT_MS = 60000;
const FIRST_REDIAL_MS = 1000;
const ANSWER_MS = 10000;
const MAX_FRAME_BYTES = 8 * 1024; // as the server has it; what is longer is refused in words by HTTP
const SILENCE_MS = 90000;
const STEADY_MS = 10000;
const ROOM_IS_GONE = 4404;
const LONE_SURROGATE = /[\uD800-\uDFFF]/gu;

export class Connection {
  /**
   * Follow a room from message number `cursor` on. `handlers`: page(page), which returns how many of its messages
   * were new, room(room), me(me), ban(seconds), polledBan(seconds), isLost(boolean), gone(), and renew(), which
   * fetches new cookies.
   */
  constructor(room, cursor, handlers) {
    this._room = room;
    this._cursor = cursor;
    this._handlers = handlers;
    this._socket = null;
    this._isLive = false;
    this._isPolling = false;
    this._isBehind = false;
    this._isOver = false;
    this._failures = 0;
    this._dials = 0;
    this._pending = new Map();
    this._refs = 0;
  }

  start() {
    this._dial();
    addEventListener("online", () => this._wake());
    addEventListener("pageshow", (event) => event.persisted && this._wake());
    document.addEventListener("visibilitychange", () => document.hidden || this._wake());
  }

  /** Show whoever asks whether messages come by WebSocket now. */
  get isLive() {
    return this._isLive;
  }

  /** Come again, as somebody else perhaps. */
  redial() {
    this._drop(this._socket);
    this._dial();
  }

  /**
   * The machine slept or changed networks, or nothing has come for long: the connection may be dead without a word. If
   * asking brings what it should have brought, it is.
   */
  async _wake() {
    this._dials = 0;
    const suspect = this._isLive ? this._socket : null;
    if (!suspect) this._dial();
    const brought = await this._poll();
    if (suspect && suspect === this._socket && brought > 0) this.redial();
  }

  _listen() {
    clearTimeout(this._silence);
    this._silence = setTimeout(() => this._wake(), SILENCE_MS * (1 + Math.random()));
  }

  // --- the WebSocket

  _dial() {
    clearTimeout(this._redialTimer);
    if (this._socket || this._isOver) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ room: this._room, after: String(this._cursor) });
    const socket = new WebSocket(`${scheme}://${location.host}/chat/ws?${query}`);
    this._socket = socket;
    this._patience = setTimeout(() => this._lose(socket), ANSWER_MS);
    socket.addEventListener("message", ({ data }) => socket === this._socket && this._take(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => (code === ROOM_IS_GONE ? this._end() : this._lose(socket)));
  }

  _take(frame) {
    this._listen();
    switch (frame.type) {
      case "page":
        this._live(frame);
        break;
      case "messages":
        this._advance(frame);
        break;
      case "deleted":
        this._handlers.page({ messages: [], deleted: frame.ids });
        break;
      case "room":
        this._handlers.room(frame);
        break;
      case "blocked":
        this._handlers.ban(frame.block_sec);
        break;
      case "posted":
      case "refused":
        this._answer(frame);
        break;
    }
  }

  _live(page) {
    clearTimeout(this._patience);
    clearTimeout(this._pollTimer);
    this._isLive = true;
    this._liveSince = performance.now();
    this._succeed();
    this._advance(page);
    if (page.block_sec > 0) this._handlers.ban(page.block_sec);
  }

  _advance(page) {
    this._handlers.page(page);
    // While older messages are still to be fetched, the number to go on from is theirs.
    if (this._isPolling || this._isBehind) return;
    this._cursor = page.reset ? page.next : Math.max(this._cursor, page.next);
    this._isBehind = Boolean(page.has_more);
    if (this._isBehind) this._poll();
  }

  _lose(socket) {
    if (socket !== this._socket) return;
    const wasLive = this._isLive;
    this._drop(socket);
    if (wasLive && performance.now() - this._liveSince > STEADY_MS) this._dials = 0;
    // Where a server restarts, not everybody comes back in the same instant.
    const wait = Math.min(FIRST_REDIAL_MS * 2 ** this._dials, MAX_WAIT_MS) * (0.5 + Math.random());
    this._dials += 1;
    this._redialTimer = setTimeout(() => this._dial(), wait);
    this._failures = Math.max(this._failures, 1);
    this._pollIn(wasLive ? wait + POLL_MS / 2 : POLL_MS * Math.random());
  }

  _drop(socket) {
    clearTimeout(this._patience);
    clearTimeout(this._silence);
    this._socket = null;
    this._isLive = false;
    socket?.close();
    for (const resolve of this._pending.values()) resolve({ type: "unknown" });
    this._pending.clear();
  }

  // --- polling

  _pollIn(milliseconds) {
    clearTimeout(this._pollTimer);
    this._pollTimer = setTimeout(() => this._poll(), milliseconds);
  }

  /** Fetch what is new, and return how many messages of it were. */
  async _poll() {
    if (this._isOver) return 0;
    if (this._isPolling) {
      this._isStale = true;
      return 0;
    }
    let brought = 0;
    clearTimeout(this._pollTimer);
    this._isPolling = true;
    this._isStale = false;
    try {
      brought = await this._fetchAll();
      this._succeed();
    } catch {
      this._fail();
    }
    this._isPolling = false;
    const isNeeded = !this._isOver && (!this._isLive || this._isBehind);
    if (this._isStale) this._poll();
    else if (isNeeded) this._pollIn(Math.min(POLL_MS * 2 ** this._failures, MAX_WAIT_MS / 2));
    return brought;
  }

  async _fetchAll() {
    let brought = 0;
    let page;
    do {
      page = await this._fetchOne();
      if (!page) return brought;
      brought += this._handlers.page(page);
      this._cursor = page.next;
    } while (page.has_more);
    this._isBehind = false;
    this._handlers.room(page.room);
    this._handlers.me(page.me);
    this._handlers.polledBan(page.block_sec);
    return brought;
  }

  async _fetchOne() {
    const query = new URLSearchParams({ room: this._room, after: String(this._cursor) });
    const response = await fetch(`/chat/poll?${query}`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.status === 404) {
      this._end();
      return null;
    }
    if (!response.ok) throw new Error(String(response.status));
    return response.json();
  }

  _end() {
    if (this._isOver) return;
    this._isOver = true;
    clearTimeout(this._pollTimer);
    this._drop(this._socket);
    clearTimeout(this._redialTimer);
    this._handlers.gone();
  }

  _succeed() {
    if (this._failures > 1) this._handlers.isLost(false);
    this._failures = 0;
  }

  _fail() {
    if (this._isLive) return;
    this._failures += 1;
    if (this._failures === 2) this._handlers.isLost(true);
  }

  // --- posting. An outcome: {type: "posted"}, {type: "refused", code, block_sec}, or {type: "unknown"} when the
  // connection broke before the answer: the message may have been taken, so it is not sent again by itself.

  async post(typed, name, nameIsNew) {
    const text = typed.replace(LONE_SURROGATE, ""); // no UTF-8 can carry one
    let outcome = await this._postOnce(text, name, nameIsNew);
    if (["csrf_failed", "identity_unknown"].includes(outcome.code)) {
      // The cookies are gone or worth nothing: get new ones, and come again with them.
      await this._handlers.renew().catch(() => {});
      outcome = await this._postByHttp(text, name);
      this.redial();
      this._poll();
    }
    return outcome;
  }

  _postOnce(text, name, nameIsNew) {
    const ref = String((this._refs += 1));
    const frame = JSON.stringify({ type: "post", ref, text, name, csrf_token: csrfToken() });
    const fits = new TextEncoder().encode(frame).length <= MAX_FRAME_BYTES;
    // Only an HTTP response can set the cookie that remembers a name.
    return this._isLive && !nameIsNew && fits ? this._postBySocket(ref, frame) : this._postByHttp(text, name);
  }

  _postBySocket(ref, frame) {
    return new Promise((resolve) => {
      const patience = setTimeout(() => this.redial(), ANSWER_MS);
      this._pending.set(ref, (outcome) => {
        clearTimeout(patience);
        resolve(outcome);
      });
      this._socket.send(frame);
    });
  }

  _answer(frame) {
    this._pending.get(frame.ref)?.(frame);
    this._pending.delete(frame.ref);
  }

  async _postByHttp(text, name) {
    const headers = { "X-Requested-With": "fetch", "X-CSRF-Token": csrfToken() };
    const body = new URLSearchParams({ room: this._room, text, name });
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      const response = await fetch("/chat/post", { method: "POST", headers, body, signal });
      if (!response.ok) return { ...(await response.json().catch(() => ({}))), type: "refused" };
      if (!this._isLive) this._poll();
      return { type: "posted", keptName: name };
    } catch {
      return { type: "unknown" };
    }
  }
}

function csrfToken() {
  const found = document.cookie.split("; ").find((part) => part.startsWith("csrf_token="));
  return found ? decodeURIComponent(found.slice("csrf_token=".length)) : "";
}
