/** The first byte of a reply, which tells its type, and what comes after it. */

export const SIMPLE_STRING = 0x2b; // +
export const ERROR = 0x2d; // -
export const INTEGER = 0x3a; // :
export const NULL = 0x5f; // _
export const BOOLEAN = 0x23; // #
export const DOUBLE = 0x2c; // ,
export const BIG_NUMBER = 0x28; // (

export const BULK_STRING = 0x24; // $
export const BULK_ERROR = 0x21; // !
export const VERBATIM = 0x3d; // =

export const ARRAY = 0x2a; // *
export const MAP = 0x25; // %
export const SET = 0x7e; // ~
export const ATTRIBUTE = 0x7c; // |
export const PUSH_MESSAGE = 0x3e; // >

/** One line is all of it. */
export const LINE = 1;
/** A line with a length, then as many bytes and a line end. */
export const BLOCK = 2;
/** A line with a count, then as many replies (twice as many for pairs). */
export const AGGREGATE = 3;

const FORMS = new Uint8Array(256);
for (const type of [SIMPLE_STRING, ERROR, INTEGER, NULL, BOOLEAN, DOUBLE, BIG_NUMBER]) {
  FORMS[type] = LINE;
}
for (const type of [BULK_STRING, BULK_ERROR, VERBATIM]) FORMS[type] = BLOCK;
for (const type of [ARRAY, MAP, SET, ATTRIBUTE, PUSH_MESSAGE]) FORMS[type] = AGGREGATE;

/** `LINE`, `BLOCK`, `AGGREGATE`, or 0 where no type has this first byte. */
export function formOf(type: number): number {
  return FORMS[type];
}

/** How many replies an aggregate of `count` holds: a map's keys count as well as its values. */
export function elementsOf(type: number, count: number): number {
  return type === MAP || type === ATTRIBUTE ? count * 2 : count;
}
