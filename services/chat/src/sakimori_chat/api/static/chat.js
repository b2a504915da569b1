// The page works without this script; with it, messages come by themselves and posting does not leave the page.

import * as composer from "./composer.js";
import { Connection } from "./connection.js";
import { isMine, retitle, scrollToEnd, show } from "./messages.js";
import { phrase, state } from "./state.js";

const connection = new Connection(state.room.room, state.last, {
  page(page) {
    const fresh = show(page);
    fresh.filter(isMine).forEach(composer.noteOwn);
    return fresh.length;
  },
  room(room) {
    composer.setRoom(room);
    retitle();
  },
  me: composer.setMe,
  ban: composer.setBan,
  polledBan: composer.notePolledBan,
  isLost(isLost) {
    composer.say(phrase(isLost ? "offline" : "online"), "connection");
    if (!isLost) setTimeout(() => composer.unsay("connection"), 3000);
  },
  gone: composer.closeRoom,
  renew() {
    return fetch(`/chat?room=${encodeURIComponent(state.room.room)}`, { cache: "no-store" });
  },
});

composer.onSubmit(async (text, name, nameIsNew) => {
  const outcome = await connection.post(text, name, nameIsNew);
  if (outcome.type === "posted") scrollToEnd();
  return outcome;
});

document.querySelector(".rooms [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
connection.start();
