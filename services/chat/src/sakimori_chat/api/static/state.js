// What the server wrote into the page, and the page's words.

const element = document.getElementById("state");

/** Language, phrases, room, who the reader is; see view.py. */
export const state = element ? JSON.parse(element.textContent) : { language: "en", phrases: {} };

/** Write a time to wait: seconds below a minute, then m:ss and h:mm:ss (phrases.py does the same). */
export function duration(seconds) {
  if (seconds < 60) return state.phrases.seconds.replace("{n}", String(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Find a phrase and fill it in: `time` in seconds, `limit` in characters. */
export function phrase(key, { time, limit } = {}) {
  let words = state.phrases[key] ?? state.phrases.failed;
  if (time !== undefined) words = words.replace("{time}", duration(time));
  if (limit !== undefined) words = words.replace("{limit}", String(limit));
  return words;
}
