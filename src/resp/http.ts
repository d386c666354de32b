/**
 * Tells a web browser, health checker or scanner that came to the wrong port from a client that
 * types inline requests. `GET key` is both a cache request and the beginning of an HTTP one, so a
 * line counts as HTTP only where its version says so, or where its first word is `POST` or
 * `Host:`, which no cache command is. Redis drops the latter two without a word, against requests
 * forged through a browser.
 */

const METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PRI',
  'PUT',
  'TRACE',
]);

/** Longer than any method, and enough for the first word of a line. */
const PREFIX_BYTES = 16;
const VERSION = / HTTP\/\d(\.\d)?$/;
const VERSION_BYTES = ' HTTP/1.1'.length;

/** True where `line[start, end)`, without its line end, is the first line of an HTTP request. */
export function looksLikeHttp(line: Uint8Array, start: number, end: number): boolean {
  const prefix = latin1(line, start, Math.min(end, start + PREFIX_BYTES));
  const space = prefix.indexOf(' ');
  const firstWord = space < 0 ? prefix : prefix.slice(0, space);
  const command = firstWord.toUpperCase();
  if (command === 'POST' || command === 'HOST:') return true;
  if (!METHODS.has(firstWord)) return false;
  return VERSION.test(latin1(line, Math.max(start, end - VERSION_BYTES), end));
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}
