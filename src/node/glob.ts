/** Patterns as `KEYS`, `SCAN` and `CONFIG GET` take them: `*`, `?`, `[a-z]`, `[^a]`, `\x`. */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

export interface GlobOptions {
  ignoreCase?: boolean;
}

/**
 * A function that tells whether all of `bytes[start, end)` matches the pattern.
 *
 * Takes time proportional to pattern times text: of the stars only the last can be given more.
 */
export function globMatcher(
  pattern: Uint8Array,
  options: GlobOptions = {},
): (bytes: Uint8Array, start?: number, end?: number) => boolean {
  const fold = options.ignoreCase === true ? lower : same;
  return (bytes, start = 0, end = bytes.length) => {
    let at = start;
    let part = 0;
    let starPart = -1;
    let starAt = 0;
    while (at < end) {
      if (part < pattern.length && pattern[part] === STAR) {
        starPart = ++part;
        starAt = at;
        continue;
      }
      const next = part < pattern.length ? matchOne(pattern, part, fold(bytes[at]), fold) : -1;
      if (next !== -1) {
        part = next;
        at++;
      } else if (starPart === -1) {
        return false;
      } else {
        part = starPart;
        at = ++starAt;
      }
    }
    while (part < pattern.length && pattern[part] === STAR) part++;
    return part >= pattern.length;
  };
}

function same(byte: number): number {
  return byte;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** The position after the part at `part` where it matches the byte, else -1. */
function matchOne(
  pattern: Uint8Array,
  part: number,
  byte: number,
  fold: (byte: number) => number,
): number {
  switch (pattern[part]) {
    case QUESTION:
      return part + 1;
    case OPEN:
      return matchSet(pattern, part + 1, byte, fold);
    case BACKSLASH: {
      const literal = part + 1 < pattern.length ? part + 1 : part;
      return fold(pattern[literal]) === byte ? literal + 1 : -1;
    }
    default:
      return fold(pattern[part]) === byte ? part + 1 : -1;
  }
}

/** A set that is never closed ends with the pattern. */
function matchSet(
  pattern: Uint8Array,
  start: number,
  byte: number,
  fold: (byte: number) => number,
): number {
  let part = start;
  const negated = pattern[part] === CARET;
  if (negated) part++;
  let found = false;
  while (part < pattern.length && pattern[part] !== CLOSE) {
    if (pattern[part] === BACKSLASH && part + 1 < pattern.length) {
      part++;
      if (fold(pattern[part]) === byte) found = true;
    } else if (part + 2 < pattern.length && pattern[part + 1] === DASH) {
      const one = fold(pattern[part]);
      const other = fold(pattern[part + 2]);
      if (byte >= Math.min(one, other) && byte <= Math.max(one, other)) found = true;
      part += 2;
    } else if (fold(pattern[part]) === byte) {
      found = true;
    }
    part++;
  }
  return found === negated ? -1 : Math.min(part + 1, pattern.length);
}
