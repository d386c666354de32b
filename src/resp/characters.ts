/** The bytes that the protocol gives a meaning, by name. */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const DOUBLE_QUOTE = 0x22;
export const DOLLAR = 0x24;
export const SINGLE_QUOTE = 0x27;
export const STAR = 0x2a;
export const MINUS = 0x2d;
export const ZERO = 0x30;
export const BACKSLASH = 0x5c;

/** True for the six bytes that C's `isspace` takes for white space. */
export function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR);
}
