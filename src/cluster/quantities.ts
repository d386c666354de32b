/**
 * Sizes and durations as people write them. The same words in flags, environment, files and API:
 * a size is a number with an optional unit of 1024, a duration has a unit always.
 */

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What the two parsers take, in words for an error message. */
export const SIZE_FORM = "a size such as '64mb', '1.5gb' or a plain number of bytes";
export const DURATION_FORM = "a duration such as '250ms', '1.5s', '10m' or '2h'";

const QUANTITY = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = QUANTITY.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  // NaN where there is no such unit.
  const total = Number(amount) * units[unit.toLowerCase()];
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

/** Bytes, or undefined where `text` is no size. Units are of 1024, whatever their case. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS);
}

/** Milliseconds, or undefined where `text` is no duration. A number without a unit is none. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, DURATION_UNITS_MS);
}

/** The shortest text that `parseSize` reads back exactly, in whole units: `64mb`, `1000b`. */
export function formatSize(bytes: number): string {
  for (const unit of ['tb', 'gb', 'mb', 'kb']) {
    if (bytes > 0 && bytes % SIZE_UNITS[unit] === 0) return `${bytes / SIZE_UNITS[unit]}${unit}`;
  }
  return `${bytes}b`;
}

/** The shortest text that `parseDurationMs` reads back exactly, in whole units: `90s`, `2h`. */
export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = DURATION_UNITS_MS[unit];
    if (durationMs > 0 && durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`;
  }
  return `${durationMs}ms`;
}

/** Parses `host:port` and `[ipv6]:port`; undefined where `text` is no such address. */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

export const ADDRESS_FORM = "host:port such as '127.0.0.1:7400' or '[::1]:7400'";
