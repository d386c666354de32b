/** Request traces: gzip, one request a line, `KEY` or `KEY BYTES`. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UsageError } from './trace-options.ts';

export interface Trace {
  /** The file's name without its endings. */
  readonly name: string;
  /** By request: a hash of its key. Two keys never have the same. */
  readonly hashes: Int32Array;
  /** By request: its object's size; 1 where the trace has no sizes. */
  readonly bytes: Float64Array;
  readonly hasSizes: boolean;
  readonly keys: number;
}

const LINE = /^(\S+)(?: (\d+))?$/;

/** @throws {UsageError} naming the file, and what is wrong with it */
export function readTrace(path: string): Trace {
  const lines = readLines(path);
  const numbers = new Map<string, number>();
  const hashes = new Int32Array(lines.length);
  const bytes = new Float64Array(lines.length);
  let hasSizes = false;
  for (const [at, line] of lines.entries()) {
    const [, key, size] = LINE.exec(line) ?? [];
    if (key === undefined) {
      throw new UsageError(`--trace '${path}': line ${at + 1} is neither KEY nor KEY BYTES`);
    }
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    hashes[at] = scatter(number);
    bytes[at] = size === undefined ? 1 : Number(size);
    hasSizes ||= size !== undefined;
  }
  return { name: basename(path).split('.')[0], hashes, bytes, hasSizes, keys: numbers.size };
}

function readLines(path: string): string[] {
  const lines = readText(path).split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`--trace '${path}' has no requests`);
  return lines;
}

function readText(path: string): string {
  try {
    const packed = readFileSync(path);
    const isGzip = packed[0] === 0x1f && packed[1] === 0x8b;
    return (isGzip ? gunzipSync(packed) : packed).toString('latin1');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--trace '${path}' cannot be read: ${reason}`, { cause: error });
  }
}

/** One to one over 32 bits: distinct numbers get distinct, well-mixed hashes (MurmurHash3). */
function scatter(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
