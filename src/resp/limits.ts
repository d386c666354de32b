/** How much one client may ask for at once. All of it is configuration; these are the defaults. */

import { invariant } from '../runtime/index.ts';

export interface RequestLimits {
  /**
   * Arguments of one request, its command name included. A larger count is a protocol error,
   * since nothing after it could be told from more arguments.
   */
  readonly argumentCountMax: number;
  /**
   * Bytes of one argument. A larger one, up to `ARGUMENT_BYTES_CEILING`, is skipped as it
   * arrives and answered with an error; the connection lives on.
   */
  readonly argumentBytesMax: number;
  /** Bytes of one request, headers included. A larger one is skipped as well. */
  readonly requestBytesMax: number;
  /** Bytes of an inline request or of a header without its line end. More is a protocol error. */
  readonly lineBytesMax: number;
}

export const REQUEST_LIMITS: RequestLimits = Object.freeze({
  argumentCountMax: 1024 * 1024,
  argumentBytesMax: 1024 * 1024,
  requestBytesMax: 64 * 1024 * 1024,
  lineBytesMax: 64 * 1024,
});

/** A declared length above this is a protocol error, whatever the limits say. */
export const ARGUMENT_BYTES_CEILING = 512 * 1024 * 1024;

/** What `requestBytesMax` may be at most: positions in a request are 32-bit. */
export const REQUEST_BYTES_CEILING = 1024 * 1024 * 1024;

/** What a client that has yet to authenticate may ask for; the figures are Redis'. */
export const UNAUTHENTICATED_ARGUMENT_COUNT_MAX = 10;
export const UNAUTHENTICATED_ARGUMENT_BYTES_MAX = 16 * 1024;

/** @throws {InvariantError} where a limit is outside of what the parser can keep. */
export function checkRequestLimits(limits: RequestLimits): void {
  const { argumentCountMax, argumentBytesMax, requestBytesMax, lineBytesMax } = limits;
  invariant(
    isWithin(argumentCountMax, 16, 2 ** 31 - 1),
    'argumentCountMax is from 16 to 2,147,483,647',
  );
  invariant(
    isWithin(argumentBytesMax, 1024, ARGUMENT_BYTES_CEILING),
    'argumentBytesMax is from 1 KiB to 512 MiB',
  );
  invariant(
    isWithin(requestBytesMax, 1024, REQUEST_BYTES_CEILING),
    'requestBytesMax is from 1 KiB to 1 GiB',
  );
  invariant(isWithin(lineBytesMax, 32, 2 ** 24), 'lineBytesMax is from 32 bytes to 16 MiB');
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** How much a client takes from a server. */
export interface ReplyLimits {
  /** Arrays, maps and sets inside each other. */
  readonly depthMax: number;
  /** Elements of one array or set, or keys and values of one map. */
  readonly elementCountMax: number;
  /** Bytes of one reply with all that is in it. */
  readonly replyBytesMax: number;
  /** Bytes of a header or of a reply that is one line. */
  readonly lineBytesMax: number;
}

export const REPLY_LIMITS: ReplyLimits = Object.freeze({
  depthMax: 32,
  elementCountMax: 2 ** 27,
  replyBytesMax: 1024 * 1024 * 1024,
  lineBytesMax: 64 * 1024,
});
