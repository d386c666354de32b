/**
 * Patterns over bytes, as `KEYS`, `SCAN` and `CONFIG GET` take them: `*`, `?`, `[abc]`, `[^a-z]`,
 * and a backslash that takes the next byte as it is.
 *
 * What is left open there is as in Redis: a set without its `]` ends with the pattern; `[]` matches
 * nothing; the ends of a range may be swapped; ranges order bytes from 128 on before 0, as signed
 * characters.
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

export interface GlobOptions {
  /** Whether letters from A to Z match in either case. */
  ignoreCase?: boolean;
}

/** Whether all of `bytes[start, end)` matches; by default all of `bytes`. */
export type GlobMatcher = (bytes: Uint8Array, start?: number, end?: number) => boolean;

/** What one byte is compared with: a byte, any byte, or a set of them; or a star. */
type Part = number | 'any' | 'star' | Uint8Array;

/**
 * Reads a pattern once, to match it often. A match takes time proportional to pattern times text,
 * however many stars there are: only the last of them can be given more.
 */
export function globMatcher(pattern: Uint8Array, options: GlobOptions = {}): GlobMatcher {
  if (pattern.length === 1 && pattern[0] === STAR) return () => true;
  const parts = compile(pattern, options.ignoreCase === true);
  return (bytes, start = 0, end = bytes.length) => matches(parts, bytes, start, end);
}

function matches(parts: readonly Part[], bytes: Uint8Array, start: number, end: number): boolean {
  // An empty text is compared with no part, not even with the two stars of `**`.
  if (start === end) return parts.length === 0;
  let at = start;
  let part = 0;
  let starPart = -1;
  let starAt = 0;
  while (at < end) {
    if (part < parts.length && parts[part] === 'star') {
      starPart = part++;
      starAt = at;
    } else if (part < parts.length && accepts(parts[part], bytes[at])) {
      part++;
      at++;
    } else if (starPart >= 0) {
      part = starPart + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (part < parts.length && parts[part] === 'star') part++;
  return part === parts.length;
}

function accepts(part: Part, byte: number): boolean {
  if (typeof part === 'number') return part === byte;
  return part === 'any' || (part !== 'star' && part[byte] === 1);
}

function compile(pattern: Uint8Array, foldsCase: boolean): Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < pattern.length) {
    const byte = pattern[at];
    if (byte === STAR) {
      if (parts.at(-1) !== 'star') parts.push('star');
      at++;
    } else if (byte === QUESTION) {
      parts.push('any');
      at++;
    } else if (byte === OPEN) {
      const members = new Uint8Array(256);
      at = readSet(pattern, at + 1, members, foldsCase);
      parts.push(members);
    } else {
      if (byte === BACKSLASH && at + 1 < pattern.length) at++;
      parts.push(foldsCase ? bothCases(pattern[at]) : pattern[at]);
      at++;
    }
  }
  return parts;
}

/** Reads a set whose `[` is before `from`; returns the position after it. */
function readSet(
  pattern: Uint8Array,
  from: number,
  members: Uint8Array,
  foldsCase: boolean,
): number {
  const { length } = pattern;
  const isNegated = from < length && pattern[from] === CARET;
  let at = isNegated ? from + 1 : from;
  while (at < length && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < length) {
      members[pattern[at + 1]] = 1;
      at += 2;
    } else if (at + 2 < length && pattern[at + 1] === DASH) {
      addRange(members, pattern[at], pattern[at + 2]);
      at += 3;
    } else {
      members[pattern[at++]] = 1;
    }
  }
  if (foldsCase) foldCase(members);
  if (isNegated) for (let byte = 0; byte < 256; byte++) members[byte] ^= 1;
  return at + 1;
}

function addRange(members: Uint8Array, one: number, other: number): void {
  const first = Math.min(signed(one), signed(other));
  const last = Math.max(signed(one), signed(other));
  for (let value = first; value <= last; value++) members[value & 0xff] = 1;
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

function bothCases(byte: number): Uint8Array {
  const members = new Uint8Array(256);
  members[byte] = 1;
  foldCase(members);
  return members;
}

function foldCase(members: Uint8Array): void {
  for (let lower = 0x61; lower <= 0x7a; lower++) {
    const upper = lower ^ 0x20;
    members[lower] = members[upper] = members[lower] | members[upper];
  }
}
