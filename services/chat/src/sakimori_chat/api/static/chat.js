"use strict";

// The page works without this script; with it, messages come by themselves and posting does not leave the page.
// Whatever others wrote is only ever set as text (textContent), never as markup.

(() => {
  const POLL_MS = 3000;
  const MAX_POLL_MS = 30000;
  const KEPT_MESSAGES = 200;

  const byId = (id) => document.getElementById(id);
  const list = byId("messages");
  const form = byId("form");
  const text = byId("text");
  const button = form.querySelector("button");
  const banner = byId("banner");
  const notice = byId("notice");
  const me = byId("me").textContent;
  const limit = Number(text.dataset.limit);

  let last = Number(list.dataset.last);
  let failures = 0;
  let timer = 0;
  let isPolling = false;
  let isStale = false;

  // --- messages

  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

  function localTime(time) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.textContent = clock.format(moment);
      time.title = moment.toLocaleString(document.documentElement.lang);
    }
  }

  function entry(message) {
    const item = byId("message").content.cloneNode(true).querySelector("li");
    item.dataset.id = message.id;
    item.classList.toggle("mine", message.author === me);
    item.querySelector(".mark").className = `mark hue-${/^[0-9a-f]$/.test(message.author[5]) ? message.author[5] : "0"}`;
    item.querySelector(".name").textContent = message.name;
    item.querySelector(".author").textContent = message.author;
    item.querySelector(".text").textContent = message.text;
    const time = item.querySelector("time");
    time.dateTime = message.posted_at;
    localTime(time);
    return item;
  }

  let isFollowing = true;

  function scrollToEnd() {
    isFollowing = true;
    list.scrollTop = list.scrollHeight;
  }

  list.addEventListener("scroll", () => {
    isFollowing = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  });
  // A banner or a keyboard that comes up must not cover the newest message.
  new ResizeObserver(() => isFollowing && scrollToEnd()).observe(list);

  function show(page) {
    if (page.reset) list.replaceChildren();
    for (const message of page.messages) {
      if (!list.querySelector(`[data-id="${Number(message.id)}"]`)) list.append(entry(message));
    }
    while (list.children.length > KEPT_MESSAGES) list.firstElementChild.remove();
    byId("empty").hidden = list.children.length > 0;
    last = page.next;
    if (isFollowing) scrollToEnd();
  }

  async function poll() {
    if (isPolling) {
      isStale = true;
      return;
    }
    isPolling = true;
    isStale = false;
    clearTimeout(timer);
    try {
      let page;
      do {
        const response = await fetch(`/chat/poll?after=${last}`, { cache: "no-store" });
        if (!response.ok) throw new Error(String(response.status));
        page = await response.json();
        show(page);
        block(page.block_sec);
      } while (page.has_more);
      if (failures) say("");
      failures = 0;
    } catch {
      failures += 1;
      if (failures > 1) say(notice.dataset.offline);
    }
    isPolling = false;
    timer = setTimeout(poll, isStale ? 0 : Math.min(POLL_MS * 2 ** failures, MAX_POLL_MS));
  }

  // --- the banner: seconds left, counting down, gone at 0

  let blockedUntil = 0;
  let ticking = 0;

  function block(seconds) {
    if (!(seconds > 0)) return;
    const until = performance.now() + seconds * 1000;
    if (Math.abs(until - blockedUntil) < 1500) return;
    blockedUntil = until;
    clearInterval(ticking);
    ticking = setInterval(tick, 250);
    tick();
  }

  function tick() {
    const left = Math.ceil((blockedUntil - performance.now()) / 1000);
    banner.hidden = left <= 0;
    button.disabled = left > 0;
    if (left <= 0) {
      clearInterval(ticking);
      banner.removeAttribute("aria-live");
      return;
    }
    const words = banner.dataset.text.replace("{seconds}", String(left));
    if (banner.textContent !== words) banner.textContent = words;
    // Screen readers announce the ban once, not every second of it.
    banner.setAttribute("aria-live", "off");
  }

  // --- posting

  function say(words) {
    notice.textContent = words;
    notice.hidden = !words;
  }

  function cookie(name) {
    const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  }

  function send() {
    const fields = new URLSearchParams({ text: text.value, name: byId("name").value });
    const headers = { "X-Requested-With": "fetch", "X-CSRF-Token": cookie("csrf_token") };
    return fetch(form.action, { method: "POST", headers, body: fields });
  }

  async function post() {
    let response = await send();
    if (response.status === 403 && (await response.clone().json()).code === "csrf_failed") {
      await fetch("/chat", { cache: "no-store" }); // the cookies are gone: get new ones and try once more
      response = await send();
    }
    if (response.ok) {
      text.value = "";
      count();
      say("");
      scrollToEnd();
      poll();
      return;
    }
    const problem = await response.json().catch(() => ({}));
    if (problem.block_sec > 0) {
      say("");
      block(problem.block_sec);
    } else {
      say(problem.code === "too_long" ? notice.dataset.tooLong : notice.dataset.failed);
    }
  }

  function count() {
    const used = [...text.value.trim()].length;
    byId("used").textContent = String(used);
    byId("count").classList.toggle("over", used > limit);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!text.value.trim() || button.disabled) return;
    button.disabled = true;
    try {
      await post();
    } catch {
      say(notice.dataset.offline);
    }
    button.disabled = blockedUntil > performance.now();
    text.focus();
  });

  text.addEventListener("input", count);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) poll();
  });

  document.querySelectorAll("#messages time").forEach(localTime);
  count();
  scrollToEnd();
  block(Number(banner.dataset.seconds));
  timer = setTimeout(poll, POLL_MS);
})();
