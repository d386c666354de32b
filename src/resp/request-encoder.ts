/** Requests, in the binary form, written straight into an output buffer. */

import type { OutputBuffer } from '../runtime/index.ts';
import { writeArrayHeader, writeBulk, writeBulkText } from './writer.ts';

/** Appends one request. Text is sent in UTF-8. */
export function encodeRequest(out: OutputBuffer, args: ReadonlyArray<Uint8Array | string>): void {
  writeArrayHeader(out, args.length);
  for (const arg of args) {
    if (typeof arg === 'string') writeBulkText(out, arg);
    else writeBulk(out, arg);
  }
}
