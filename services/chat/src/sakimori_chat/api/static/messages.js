// The list of messages. Whatever others wrote is only ever set as text (textContent), never as markup.

import { pieces } from "./links.js";
import { phrase, state } from "./state.js";

const KEPT_MESSAGES = 200;
const KEPT_DELETIONS = 500;
const NEAR_THE_END_PX = 80;

const log = document.getElementById("log");
const list = document.getElementById("messages");
const template = document.getElementById("message");
const newer = document.getElementById("newer");

const deleted = new Set();
let unread = 0;

/** Show a page or a run of messages; what is shown already stays once, wherever it comes from. */
export function show({ messages, reset, deleted: gone = [] }) {
  const wasAtTheEnd = isAtTheEnd();
  if (reset) {
    list.replaceChildren();
    deleted.clear();
  }
  remove(gone);
  const fresh = messages.filter((message) => insert(message));
  while (list.children.length > KEPT_MESSAGES) list.firstElementChild.remove();
  document.getElementById("empty").hidden = list.children.length > 0;
  tell(fresh, reset || wasAtTheEnd);
  return fresh;
}

/** Take messages away, and keep them away should an older answer still bring them. */
export function remove(ids) {
  for (const id of ids) {
    deleted.add(Number(id));
    find(id)?.remove();
  }
  while (deleted.size > KEPT_DELETIONS) deleted.delete(deleted.values().next().value);
  document.getElementById("empty").hidden = list.children.length > 0;
}

export function isMine(message) {
  return message.author === state.me && message.kind !== "bot";
}

export function scrollToEnd() {
  newer.hidden = true;
  log.scrollTop = 0;
}

/** The log scrolls from its end (column-reverse): 0 there, and less than that further up. */
function isAtTheEnd() {
  return -log.scrollTop < NEAR_THE_END_PX;
}

function insert(message) {
  const id = Number(message.id);
  if (deleted.has(id) || find(id)) return false;
  let after = list.lastElementChild;
  while (after && Number(after.dataset.id) > id) after = after.previousElementSibling;
  const item = entry(message);
  if (after) after.after(item);
  else list.prepend(item);
  return true;
}

function find(id) {
  return list.querySelector(`[data-id="${Number(id)}"]`);
}

function entry(message) {
  const item = template.content.cloneNode(true).querySelector("li");
  const set = (name, text) => { item.querySelector(name).textContent = text; };
  const isBot = message.kind === "bot";
  item.dataset.id = String(Number(message.id));
  item.classList.toggle("mine", isMine(message));
  item.classList.toggle("from-bot", isBot);
  item.classList.add("fresh");
  item.querySelector(".badge").hidden = !isBot;
  item.querySelector(".mark").className = `mark hue-${/^[0-9a-f]$/.test(message.author[5]) ? message.author[5] : "0"}`;
  set(".mark", [...message.name][0] ?? message.author.slice(5, 7));
  set(".name", message.name);
  set(".author", message.author);
  item.querySelector("time").dateTime = message.posted_at;
  item.querySelector(".text").replaceChildren(...nodes(message.text));
  localTime(item.querySelector("time"));
  return item;
}

function nodes(text) {
  return pieces(text).map(({ text: shown, href }) => (href ? anchor(shown, href) : document.createTextNode(shown)));
}

function anchor(shown, href) {
  const link = document.createElement("a");
  link.href = href;
  link.textContent = shown;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow ugc";
  link.dir = "ltr";
  return link;
}

const clock = new Intl.DateTimeFormat(state.language, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(state.language, { month: "short", day: "numeric" });

function localTime(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const isToday = moment.toDateString() === new Date().toDateString();
  time.textContent = isToday ? clock.format(moment) : `${calendar.format(moment)} ${clock.format(moment)}`;
  time.title = moment.toLocaleString(state.language);
}

// --- reading along

/** Follow the end, unless the reader has scrolled away from it: then say that there is more. */
function tell(fresh, isFollowing) {
  if (isFollowing || fresh.some(isMine)) scrollToEnd();
  else if (fresh.length) newer.hidden = false;
  unread = document.hidden ? unread + fresh.length : 0;
  retitle();
}

/** Write how much is unread, and the room's title, into the title of the window. */
export function retitle() {
  document.title = `${unread ? `(${unread}) ` : ""}${state.room.title} · ${phrase("title")} · Sakimori`;
}

log.addEventListener("scroll", () => {
  if (isAtTheEnd()) newer.hidden = true;
});
newer.addEventListener("click", () => {
  scrollToEnd();
  log.focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unread = 0;
  retitle();
});

for (const text of list.querySelectorAll(".text")) text.replaceChildren(...nodes(text.textContent));
list.querySelectorAll("time").forEach(localTime);
scrollToEnd();
