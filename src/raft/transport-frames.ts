/**
 * What peers say to each other, as RESP requests and replies. Each peer sends on connections that
 * it has made itself; what comes back on one is the answer to the greeting, and to pings.
 *
 *     RAFT.HELLO version-min version-max cluster from to store host port
 *         -REFUSED words                   it says what is wrong, and the connection ends
 *         [version, nonce, store]          from now on messages may come
 *     RAFT.MSG checksum+message            no reply
 *     RAFT.PING                            +PONG: what was sent so far has arrived
 *
 * The checksum is seeded by the greeting, by the receiver's nonce and by the message's number on the
 * connection. So bytes that were altered, left out, or recorded on an earlier connection are noticed.
 */
import { crc32 } from 'node:zlib';

import type { Address, OutputBuffer } from '../runtime/index.ts';
import {
  encodeRequest,
  type Reply,
  replyText,
  writeArrayHeader,
  writeBulkText,
  writeInteger,
} from '../resp/index.ts';
import { readUint32 } from './bytes.ts';
import type { Route } from './transport-codec.ts';
import { asClusterId, asPeerId } from './types.ts';

/** The versions of this protocol that this release speaks. */
export const VERSION_MIN = 1;
export const VERSION_MAX = 1;

export const HELLO = 'RAFT.HELLO';
export const MESSAGE = 'RAFT.MSG';
export const PING = 'RAFT.PING';
export const CHECKSUM_BYTES = 4;

const HELLO_ARGUMENTS = 9;
const STORE = /^[0-9a-f]{32}$/;
const IDENTIFIER = /^[A-Za-z0-9._:-]{1,128}$/;

export interface Hello extends Route {
  readonly versionMin: number;
  readonly versionMax: number;
  /** In hexadecimal: which disk the sender keeps its log on. */
  readonly store: string;
  /** Where the sender can be reached. */
  readonly address: Address;
}

export interface Welcome {
  readonly version: number;
  readonly nonce: number;
}

export function writeHello(out: OutputBuffer, hello: Hello): void {
  const { versionMin, versionMax, cluster, from, to, store, address } = hello;
  const numbers = [String(versionMin), String(versionMax)];
  const names = [cluster, from, to, store, address.host, String(address.port)];
  encodeRequest(out, [HELLO, ...numbers, ...names]);
}

/** @returns undefined where this is no greeting that any version makes. */
export function parseHello(args: readonly string[]): Hello | undefined {
  // A later version may say more.
  if (args.length < HELLO_ARGUMENTS || args[0] !== HELLO) return undefined;
  const [, versionMin, versionMax, cluster, from, to, store, host, port] = args;
  const numbers = [versionMin, versionMax, port].map(Number);
  const areNumbers = numbers.every((number) => Number.isSafeInteger(number) && number >= 0);
  const areNames = [cluster, from, to].every((name) => IDENTIFIER.test(name));
  if (!areNumbers || !areNames || !STORE.test(store)) return undefined;
  return {
    versionMin: numbers[0],
    versionMax: numbers[1],
    cluster: asClusterId(cluster),
    from: asPeerId(from),
    to: asPeerId(to),
    store,
    address: { host, port: numbers[2] },
  };
}

export function writeWelcome(out: OutputBuffer, { version, nonce }: Welcome, store: string): void {
  writeArrayHeader(out, 3);
  writeInteger(out, version);
  writeInteger(out, nonce);
  writeBulkText(out, store);
}

export function parseWelcome(reply: Reply): Welcome | undefined {
  if (!Array.isArray(reply)) return undefined;
  const elements: readonly Reply[] = reply;
  const [version, nonce] = elements;
  if (typeof version !== 'number' || typeof nonce !== 'number') return undefined;
  return { version, nonce };
}

/** The message's number is how many went before it on the connection. */
export function writeMessage(
  out: OutputBuffer,
  nonce: number,
  number: number,
  message: Uint8Array,
): void {
  const framed = new Uint8Array(CHECKSUM_BYTES + message.length);
  const checksum = checksumOf(message, nonce, number);
  for (let at = 0; at < CHECKSUM_BYTES; at += 1) framed[at] = checksum >>> (24 - 8 * at);
  framed.set(message, CHECKSUM_BYTES);
  encodeRequest(out, [MESSAGE, framed]);
}

/** The message in a frame, as a view of it; undefined where it is not what was sent. */
export function unframed(
  framed: Uint8Array,
  nonce: number,
  number: number,
): Uint8Array | undefined {
  if (framed.length < CHECKSUM_BYTES) return undefined;
  const message = framed.subarray(CHECKSUM_BYTES);
  return readUint32(framed, 0) === checksumOf(message, nonce, number) ? message : undefined;
}

/**
 * What the checksums of a connection are seeded by. The greeting is part of it, since nothing else
 * would show that a name in it was altered on its way.
 */
export function connectionSeed({ cluster, from, to, store }: Hello, nonce: number): number {
  return crc32(`${cluster} ${from} ${to} ${store}`, nonce >>> 0);
}

function checksumOf(message: Uint8Array, nonce: number, number: number): number {
  return crc32(message, (nonce + number) >>> 0);
}

export function isPong(reply: Reply): boolean {
  return replyText(reply) === 'PONG';
}
