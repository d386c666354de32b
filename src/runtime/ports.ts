/**
 * The seam: every touch of the world goes through one `Runtime`, passed in at construction.
 *
 * There are two implementations, the real one (`runtime/node`) and the simulator's (`sim`); code
 * above the seam cannot tell them apart. Everything is callback-based and single-threaded: a
 * callback is never called before the call that takes it has returned, and never two at a time.
 */
import { copyBytes } from './bytes.ts';

/** Time, in whole microseconds. Reads are free of side effects. */
export interface Clock {
  /** Never goes back. Its zero is arbitrary and differs between processes. */
  monotonicUs(): number;
  /** Since 1970-01-01 UTC. May step in either direction. */
  wallUs(): number;
}

export interface Timer {
  /** Harmless after the timer has fired or was cancelled. */
  cancel(): void;
}

export interface Timers {
  /** Calls once, no sooner than `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls once, after the input and output that is ready now has been served. */
  defer(callback: () => void): void;
}

/** Unpredictable in production, a function of the seed in the simulator. */
export interface Random {
  /** A whole number in [0, 2^32). */
  uint32(): number;
  bytes(length: number): Uint8Array;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An error of network or disk. `code` is the POSIX name, such as `ECONNREFUSED` or `ENOSPC`. */
export class SystemError extends Error {
  readonly code: string;
  override readonly name = 'SystemError';

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a connection calls. All calls come after `Connection.start`. */
export interface ConnectionHandler {
  /**
   * Bytes have arrived in `bytes[start, end)`. The array is the transport's: it is valid only
   * during this call, and what is to outlive the call must be copied.
   */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** All queued output has been handed to the network; not called where nothing was queued. */
  onDrain(): void;
  /** The peer has finished sending. Sending to it may still work. */
  onEnd(): void;
  /** The last call. `error` is set unless both sides closed in order. */
  onClose(error: SystemError | undefined): void;
}

/**
 * A reliable, ordered stream of bytes. Pieces arrive cut anywhere.
 *
 * Input back-pressure: `pause` and `resume`. Output back-pressure: `bytesQueued`, and `onDrain`.
 */
export interface Connection {
  readonly local: Address;
  readonly remote: Address;
  /** Bytes given to `send` that the network has not taken yet. */
  readonly bytesQueued: number;
  /** Begins delivery to `handler`. Called once; may be called again to hand over to another. */
  start(handler: ConnectionHandler): void;
  /**
   * Sends all that is in `output` and empties it. The transport may keep the array for a send
   * that could not end at once, and then leaves a new one in its place.
   */
  send(output: OutputBuffer): void;
  /** No `onData` from now until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then finishes the sending side and closes. */
  close(): void;
  /** Closes now; queued output is lost. */
  destroy(): void;
}

export interface Listener {
  /** The bound address: with port 0 asked for, the one that was given. */
  readonly address: Address;
  /** Takes no more connections; those there are stay. `done` is called once the port is free. */
  close(done: () => void): void;
}

export interface ListenHandler {
  onListening(listener: Listener): void;
  /** The connection delivers nothing until its `start` is called, which may be later. */
  onConnection(connection: Connection): void;
  /** Could not listen, or cannot go on listening. */
  onError(error: SystemError): void;
}

export interface ConnectHandler {
  onConnect(connection: Connection): void;
  onError(error: SystemError): void;
}

export interface ConnectAttempt {
  /** Gives up; no handler is called any more. Harmless once connected. */
  cancel(): void;
}

export interface Network {
  listen(address: Address, handler: ListenHandler): void;
  connect(address: Address, handler: ConnectHandler): ConnectAttempt;
}

/** `value` is meaningful only where `error` is undefined. */
export type Done<T = void> = (error: SystemError | undefined, value: T) => void;

/** A file open for appending. Calls are carried out in the order they were made. */
export interface AppendFile {
  /**
   * Writes at the end. Durable only after a later `sync` has succeeded. After an error the
   * file's tail is unknown. `bytes` must not change until `done`.
   */
  append(bytes: Uint8Array, done: Done): void;
  /** Makes all appends that were done before this call durable (data and length). */
  sync(done: Done): void;
  /** Cuts the file to `length` bytes. Durable after a later `sync`. */
  truncate(length: number, done: Done): void;
  close(done: Done): void;
}

/** An exclusive lock, held until it is released or its process has ended in whatever way. */
export interface FileLock {
  release(done: Done): void;
}

/**
 * Files under one root directory. Paths are relative to it, with `/` between parts; `.` is the
 * root itself. A path that would leave the root is refused with `EINVAL`.
 */
export interface Disk {
  /** Creates the file where it is missing. Its directory entry is durable after `syncDirectory`. */
  openAppend(path: string, done: Done<AppendFile>): void;
  /** Reads `length` bytes at `offset`; fewer at the file's end. `ENOENT` where it is missing. */
  read(path: string, offset: number, length: number, done: Done<Uint8Array>): void;
  size(path: string, done: Done<number>): void;
  /** Replaces `to` in one step. Durable after `syncDirectory`. */
  rename(from: string, to: string, done: Done): void;
  remove(path: string, done: Done): void;
  /** Names in a directory, sorted by code unit. `ENOENT` where it is missing. */
  list(directory: string, done: Done<readonly string[]>): void;
  /** Creates the directory and its parents, durably; succeeds where it exists. */
  makeDirectory(directory: string, done: Done): void;
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(directory: string, done: Done): void;
  /**
   * Locks the file of that name, which is created where it is missing and has no other use.
   * `EBUSY` at once where anyone holds it, this process included.
   */
  lock(path: string, done: Done<FileLock>): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Words for an operator. Never on a hot path. */
export interface Log {
  write(level: LogLevel, message: string, fields?: LogFields): void;
}

/** What scrypt is to cost: see RFC 7914. Its memory is 128 * N * r bytes. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** What is meant to take long, so that it must not hold up the event loop. */
export interface Crypto {
  /** The key of `length` bytes. `EINVAL` where the cost is none that scrypt can have. */
  scrypt(
    secret: Uint8Array,
    salt: Uint8Array,
    length: number,
    cost: ScryptCost,
    done: Done<Uint8Array>,
  ): void;
}

export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly network: Network;
  readonly disk: Disk;
  readonly crypto: Crypto;
  readonly log: Log;
}

const VIEWS_MAX = 4096;

/**
 * Bytes on their way out: append with `reserve`, then write into `bytes` and advance `length`.
 *
 * One buffer can serve all connections of an event loop, since `Connection.send` empties it. Views
 * of short lengths are kept, so that sending a short reply allocates nothing (measured: a fresh
 * `subarray` costs as much as parsing a whole GET).
 */
export class OutputBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  readonly #capacityInitial: number;
  #views: Array<Uint8Array | undefined> = [];

  constructor(capacity = 64 * 1024) {
    this.#capacityInitial = capacity;
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes after `length`; afterwards read `bytes` anew. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.#replace(grown);
  }

  /** Appends a copy of `source[start, end)`. */
  append(source: Uint8Array, start = 0, end = source.length): void {
    this.reserve(end - start);
    copyBytes(source, start, this.bytes, this.length, end - start);
    this.length += end - start;
  }

  /** What was written so far, as a view that is valid until the next `reserve` or `release`. */
  view(): Uint8Array {
    if (this.length > VIEWS_MAX) return this.bytes.subarray(0, this.length);
    return (this.#views[this.length] ??= this.bytes.subarray(0, this.length));
  }

  /** Empties the buffer, and gives back memory that one large reply made it take. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > this.#capacityInitial * 4) this.release();
  }

  /** Empties the buffer and leaves the old array to whoever has a view of it. */
  release(): void {
    this.length = 0;
    this.#replace(new Uint8Array(this.#capacityInitial));
  }

  #replace(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.#views = [];
  }
}
