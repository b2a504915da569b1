// Finds links in what people wrote. Pure functions; whoever shows the result makes elements, never markup.

const CANDIDATE = /https?:\/\/[^\s<>"`{}|^]+/gi;
const CLOSING = { ")": "(", "]": "[", "）": "（", "」": "「", "』": "『", "】": "【" };
const TRAILING = /[.,:;!?'’”…。、，．！？：；]/u;
// East Asian letters that pass for a sign of an address (ノ for a slash, ー for a hyphen) or for one another (口, ロ).
const DECEIVING = /[ノンソゾ一丨丿丶〇〳〵口ロ工エニ二ト卜ハ八カ力タ夕チ千へヘべベぺペりリー・ㅡㅣㅇ]/u;
const EAST_ASIAN = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}0-9-]+$/u;
const ASCII = /^[\x21-\x7e]*$/;

/**
 * Split a text into pieces, in order: { text } or { text, href }. Joined, their texts are the text again, but for
 * the host of a link, which is shown as it really is.
 */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const typed = withoutTrailing(match[0]);
    const link = linkOf(typed);
    if (!link) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push(link);
    from = match.index + typed.length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

/** Make a link of an address, or null: only http and https, and nothing before an @, which looks like a host. */
export function linkOf(typed) {
  const parts = /^(https?:\/\/)([^/?#\\]+)(.*)$/iu.exec(typed);
  const url = parsed(typed);
  if (!parts || !url || /@|:$/u.test(parts[2])) return null;
  if (!["http:", "https:"].includes(url.protocol) || url.username || url.password || !url.hostname) return null;
  const port = url.port ? `:${url.port}` : "";
  return { text: `${url.protocol}//${shownHost(parts[2], url.hostname)}${port}${parts[3]}`, href: url.href };
}

/**
 * Write a host so that it cannot pass for another: as the browser resolves it, in punycode (RFC 3492) where it is not
 * ASCII, unless each label is wholly in East Asian letters without any that pass for a sign.
 */
export function shownHost(typed, resolved) {
  if (!resolved.includes("xn--") || ASCII.test(typed)) return resolved;
  const native = typed.replace(/:\d*$/u, "").normalize("NFC").toLowerCase();
  const isHonest = native.split(".").every((label) => isHonestLabel(label));
  return isHonest && sameHost(native, resolved) ? native : resolved;
}

function isHonestLabel(label) {
  if (/^[a-z0-9-]*$/u.test(label)) return true;
  return EAST_ASIAN.test(label) && !DECEIVING.test(label);
}

function sameHost(native, resolved) {
  return parsed(`https://${native}`)?.hostname === resolved;
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** Leave to the sentence what ends it: full stops, and brackets that were not opened within the address. */
function withoutTrailing(address) {
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    const opening = CLOSING[last];
    const isLeft = opening ? count(address, last, end) > count(address, opening, end) : TRAILING.test(last);
    if (!isLeft) break;
  }
  return address.slice(0, end);
}

function count(text, character, end) {
  return text.slice(0, end).split(character).length - 1;
}
