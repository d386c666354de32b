/**
 * What the codec costs: nanoseconds per request or reply, and bytes of garbage, for 16-byte keys
 * and 100-byte values. Prints a table and judges nothing.
 *
 * Each figure is the fastest of many short rounds, since whatever else runs on the machine can
 * only slow a round down.
 *
 * node bench/resp.ts
 */

import { OutputBuffer } from '../src/runtime/index.ts';
import {
  encodeRequest,
  INCOMPLETE,
  REPLIES,
  ReplyParser,
  ReplySkimmer,
  RequestReader,
  writeBulk,
  writeEncoded,
  writeInteger,
} from '../src/resp/index.ts';

const ROUNDS = 60;
const OPERATIONS_PER_ROUND = 96_000;
const PIECE_BYTES = 64 * 1024;

const key = 'key:000000012345'.slice(0, 16);
const value = 'v'.repeat(100);

/** Runs some operations, and returns how many. */
type Work = () => number;

function measure(name: string, work: Work): void {
  let bestNs = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const startedNs = process.hrtime.bigint();
    const operations = repeat(work, OPERATIONS_PER_ROUND);
    bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - startedNs) / operations);
  }
  const garbage = garbageBytes(work);
  console.log(
    `${name.padEnd(44)} ${bestNs.toFixed(1).padStart(8)} ${garbage.toFixed(0).padStart(10)}`,
  );
}

function repeat(work: Work, operationsMin: number): number {
  let operations = 0;
  while (operations < operationsMin) operations += work();
  return operations;
}

/** The median of rounds too short for the collector to come between in most. */
function garbageBytes(work: Work): number {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = allocatedBytes();
    const operations = repeat(work, 4000);
    samples.push((allocatedBytes() - before) / operations);
  }
  return samples.sort((a, b) => a - b)[ROUNDS / 2];
}

function allocatedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function encoded(count: number, write: (out: OutputBuffer) => void): Uint8Array {
  const out = new OutputBuffer();
  for (let index = 0; index < count; index++) write(out);
  return out.bytes.slice(0, out.length);
}

/** Reads a piece that holds whole requests, as a connection does. */
function readRequests(piece: Uint8Array): Work {
  const reader = new RequestReader();
  return () => {
    reader.push(piece, 0, piece.length);
    let requests = 0;
    while (reader.next() !== INCOMPLETE) requests++;
    reader.finish();
    return requests;
  };
}

/** Reads a long stream in pieces that end anywhere. */
function readStream(stream: Uint8Array): Work {
  const reader = new RequestReader();
  return () => {
    let requests = 0;
    for (let start = 0; start < stream.length; start += PIECE_BYTES) {
      reader.push(stream, start, Math.min(stream.length, start + PIECE_BYTES));
      while (reader.next() !== INCOMPLETE) requests++;
      reader.finish();
    }
    return requests;
  };
}

function readReplies(piece: Uint8Array): Work {
  const parser = new ReplyParser();
  return () => {
    parser.push(piece, 0, piece.length);
    let replies = 0;
    while (parser.next() !== INCOMPLETE) replies++;
    return replies;
  };
}

function skimReplies(piece: Uint8Array): Work {
  const skimmer = new ReplySkimmer();
  return () => {
    skimmer.push(piece, 0, piece.length);
    let replies = 0;
    while (skimmer.next()) replies++;
    return replies;
  };
}

function writeReplies(write: (out: OutputBuffer) => void): Work {
  const out = new OutputBuffer();
  return () => {
    for (let index = 0; index < 16; index++) write(out);
    out.clear();
    return 16;
  };
}

const get = (out: OutputBuffer): void => encodeRequest(out, ['GET', key]);
const set = (out: OutputBuffer): void => encodeRequest(out, ['SET', key, value]);
const valueBytes = Buffer.from(value);
const hit = (out: OutputBuffer): void => writeBulk(out, valueBytes, 0, valueBytes.length);
const done = (out: OutputBuffer): void => writeEncoded(out, REPLIES.ok);

console.log(`${''.padEnd(44)} ${'ns'.padStart(8)} ${'garbage B'.padStart(10)}`);
for (const pipeline of [1, 16]) {
  measure(`parse GET, pipeline ${pipeline}`, readRequests(encoded(pipeline, get)));
  measure(`parse SET, pipeline ${pipeline}`, readRequests(encoded(pipeline, set)));
}
measure('parse SET, one stream in 64 KiB pieces', readStream(encoded(20_000, set)));
measure('write a value', writeReplies(hit));
measure('write OK', writeReplies(done));
measure(
  'write an integer',
  writeReplies((out) => writeInteger(out, 123_456)),
);
measure('encode GET', writeReplies(get));
measure('encode SET', writeReplies(set));
measure('read a value, pipeline 16', readReplies(encoded(16, hit)));
measure('read OK, pipeline 16', readReplies(encoded(16, done)));
measure('skim a value, pipeline 16', skimReplies(encoded(16, hit)));
measure('skim OK, pipeline 16', skimReplies(encoded(16, done)));
