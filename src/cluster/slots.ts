/**
 * Which of the 16,384 hash slots a key belongs to: CRC-16/XMODEM of the key, or of its hash tag,
 * modulo 16,384. Reference: the Redis Cluster specification, "Key distribution model".
 */

export const SLOT_COUNT = 16_384;

const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/** For each byte, the remainder of byte * x^16 by the polynomial x^16 + x^12 + x^5 + 1. */
const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  }
  return crc;
});

/**
 * The slot of the key in `bytes[start, end)`.
 *
 * Where the key has a `{`, and a `}` after it with at least one byte between the first of each,
 * only those bytes count: so keys with an equal tag share a slot.
 */
export function slotOfKey(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === BRACE_OPEN) return slotOfTag(bytes, start, at, end);
    crc = ((crc << 8) & 0xffff) ^ CRC16_TABLE[(crc >>> 8) ^ byte];
  }
  return crc & (SLOT_COUNT - 1);
}

/** Of a key whose first brace is at `open`. */
function slotOfTag(bytes: Uint8Array, start: number, open: number, end: number): number {
  let close = open + 1;
  while (close < end && bytes[close] !== BRACE_CLOSE) close++;
  const isTagged = close < end && close > open + 1;
  const from = isTagged ? open + 1 : start;
  const to = isTagged ? close : end;
  let crc = 0;
  for (let at = from; at < to; at++) {
    crc = ((crc << 8) & 0xffff) ^ CRC16_TABLE[(crc >>> 8) ^ bytes[at]];
  }
  return crc & (SLOT_COUNT - 1);
}
