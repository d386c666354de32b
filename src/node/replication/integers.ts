/** Unsigned big-endian integers in what nodes send to each other. */

const HIGH = 2 ** 32;

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Eight bytes, of which a number holds 53 bits exactly. */
export function putUint64(bytes: Uint8Array, at: number, value: number): void {
  // The remainder of a division of floats is a call; this is not.
  const high = Math.floor(value / HIGH);
  putUint32(bytes, at, high);
  putUint32(bytes, at + 4, value - high * HIGH);
}

export function uint64(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) * HIGH + uint32(bytes, at + 4);
}
