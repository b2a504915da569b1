// The form: what keeps it from sending, what is said about it, and the sending itself.

import { Countdown } from "./countdown.js";
import { phrase, state } from "./state.js";

const byId = (id) => document.getElementById(id);
const form = byId("form");
const text = byId("text");
const name = byId("name");
const button = form.querySelector("button");
const banner = byId("banner");
const notice = byId("notice");
const announcement = byId("announcement");

let isSending = false;
let unsure = "";
let savedName = state.name;

let kindSaid = "";

/** Say something beside the form; empty takes it away. `kind` is for `unsay`. */
export function say(words, kind = "") {
  notice.textContent = words;
  notice.hidden = !words;
  kindSaid = kind;
}

/** Take away what was said, unless something else has been said since. */
export function unsay(kind) {
  if (kindSaid === kind) say("");
}

function refresh() {
  button.disabled = isSending || ban.isRunning || pause.isRunning || state.room.is_locked;
}

// --- bans and slow mode. Screen readers hear of a ban and of its end, and of no second between.

const ban = new Countdown((left) => {
  if (left > 0 && banner.hidden) announcement.textContent = phrase("blocked", { time: left });
  if (left === 0) {
    announcement.textContent = phrase("blocked_over");
    unsay("ban");
  }
  banner.hidden = left === 0;
  banner.textContent = phrase("blocked", { time: left });
  refresh();
});

const pause = new Countdown((left) => {
  byId("wait").hidden = left === 0;
  byId("wait").textContent = left ? phrase("seconds").replace("{n}", String(left)) : "";
  if (left === 0) unsay("slow");
  refresh();
});

/** A ban as the server tells it at this moment; 0 lifts it. */
export function setBan(seconds) {
  if (seconds > 0 || ban.isRunning) ban.set(seconds);
}

let polledBan = state.block_sec;

/** A ban as a poll tells it: it knows the identity's, while a refusal may have been for a longer one. */
export function notePolledBan(seconds) {
  if (seconds > 0) ban.extend(seconds);
  else if (polledBan > 0) setBan(0);
  polledBan = seconds;
}

// --- the room

/** Take over how the room is now. */
export function setRoom(room) {
  const wasLocked = state.room.is_locked;
  state.room = { ...room, title: room.title || state.room.title, slow_seconds: Math.ceil(room.slow_seconds) };
  byId("title").textContent = state.room.title;
  byId("limit").textContent = String(room.max_characters);
  byId("fields").disabled = room.is_locked;
  show("locked", room.is_locked, phrase("room_locked"));
  const slow = state.room.slow_seconds;
  show("slow", slow > 0 && !room.is_locked, phrase("room_slow", { time: slow }));
  if (wasLocked && !room.is_locked) say(phrase("room_open"));
  count();
  refresh();
}

/** The room is no more: what was said stays readable, and nothing can be added. */
export function closeRoom() {
  byId("fields").disabled = true;
  show("locked", true, phrase("room_gone"));
}

function show(id, isShown, words) {
  const element = byId(id);
  if (element.hidden === !isShown && element.textContent === words) return;
  element.hidden = !isShown;
  element.textContent = isShown ? words : "";
}

// --- posting

/** Take over as whom the reader would post. */
export function setMe(me) {
  if (!me) return;
  state.me = me;
  byId("me").textContent = me;
}

/** A message of the reader has come back: if it is the one that nobody knew of, it need not be sent again. */
export function noteOwn(message) {
  if (!unsure || message.text !== unsure) return;
  if (folded(text.value) === unsure) text.value = "";
  unsure = "";
  say("");
  count();
}

/** Send by way of `send(text, name, nameIsNew)`, which resolves to an outcome: see connection.js. */
export function onSubmit(send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!folded(text.value) || button.disabled) return;
    isSending = true;
    refresh();
    const sent = text.value;
    try {
      take(await send(sent, name.value, name.value !== savedName), sent);
    } finally {
      isSending = false;
      refresh();
    }
    if (!state.room.is_locked) text.focus();
  });
}

function take(outcome, sent) {
  if (outcome.type === "posted") {
    savedName = outcome.keptName ?? savedName;
    if (text.value === sent) text.value = "";
    count();
    say("");
    pause.set(state.room.slow_seconds);
  } else if (outcome.type === "unknown") {
    unsure = folded(sent);
    say(phrase("uncertain"));
  } else {
    explain(outcome);
  }
}

function explain({ code, block_sec: seconds = 0 }) {
  const isBan = seconds > 0 && code !== "slow";
  say(phrase(`refused_${code}`, { limit: state.room.max_characters, time: seconds }), isBan ? "ban" : code);
  if (isBan) ban.extend(seconds);
  else if (code === "slow") pause.set(seconds);
}

function folded(value) {
  return value.normalize("NFC").split(/\s+/u).filter(Boolean).join(" ");
}

function count() {
  const used = [...folded(text.value)].length;
  byId("used").textContent = String(used);
  byId("count").classList.toggle("over", used > state.room.max_characters);
}

text.addEventListener("input", count);
count();
if (state.block_sec) ban.set(state.block_sec);
if (state.slow_sec) pause.set(state.slow_sec);
