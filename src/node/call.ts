/**
 * One command being carried out: its arguments, where its reply goes, and what it works on.
 *
 * One object serves all calls of a node, one after another, so that a call allocates nothing.
 */
import type { Domain, Engine } from '../engine/index.ts';
import { REPLIES, writeEncoded, writeInteger, writeNull, type RespVersion } from '../resp/index.ts';
import { invariant, type OutputBuffer } from '../runtime/index.ts';
import type { Command } from './command.ts';
import { ERRORS } from './errors.ts';
import type { CacheNode } from './node.ts';
import { parseInteger } from './numbers.ts';
import type { Session } from './session.ts';

export class Call {
  readonly node: CacheNode;
  readonly engine: Engine;
  out: OutputBuffer;
  session: Session;
  domain: Domain;
  /** Undefined until the first request was resolved. */
  command: Command | undefined;
  version: RespVersion = 2;
  /** Argument i is `bytes[starts[i], ends[i])`; 0 is the command's name. */
  bytes: Uint8Array = new Uint8Array(0);
  starts: Int32Array = new Int32Array(0);
  ends: Int32Array = new Int32Array(0);
  count = 0;
  /** Of all its keys, in a cluster: as the check that it is served here has found it. */
  slot = 0;
  /** Milliseconds since 1970, the same for a whole batch. */
  nowMs = 0;
  /** Set by `fail`. */
  failed = false;

  constructor(node: CacheNode, session: Session) {
    this.node = node;
    this.engine = node.engine;
    this.out = node.out;
    this.session = session;
    this.domain = session.domain;
  }

  length(index: number): number {
    return this.ends[index] - this.starts[index];
  }

  /** The argument as text, each byte a character; what is not ASCII stays recognizable. */
  text(index: number): string {
    return latin1(this.bytes, this.starts[index], this.ends[index]);
  }

  /** The argument as errors quote it: Redis does so up to a NUL. */
  quoted(index: number): string {
    return untilNul(this.text(index));
  }

  /** The argument as text, in lower case. */
  word(index: number): string {
    return this.text(index).toLowerCase();
  }

  /** A copy of the argument's bytes. */
  copy(index: number): Buffer {
    return Buffer.from(this.bytes.slice(this.starts[index], this.ends[index]));
  }

  /** Whether the argument is this word, given in lower case, in whatever case. */
  is(index: number, lowerCase: string): boolean {
    const start = this.starts[index];
    if (this.ends[index] - start !== lowerCase.length) return false;
    for (let i = 0; i < lowerCase.length; i++) {
      const byte = this.bytes[start + i];
      const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
      if (lower !== lowerCase.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The record of the key in this argument, or 0. */
  find(index: number): number {
    return this.engine.find(this.domain, this.bytes, this.starts[index], this.length(index));
  }

  /** Like `find`, but counts as a read: a hit or a miss, and a use of the key. */
  read(index: number): number {
    const session = this.session;
    if (session.isTracking) this.node.tracking.remember(session, this, index);
    return this.readToWrite(index);
  }

  /** Like `read`, but counts as no use of the key. */
  peek(index: number): number {
    const session = this.session;
    if (session.isTracking) this.node.tracking.remember(session, this, index);
    const start = this.starts[index];
    return this.engine.readUntouched(this.domain, this.bytes, start, this.length(index));
  }

  /** Like `read`, for commands that also write the key: such a client is not told of its change. */
  readToWrite(index: number): number {
    const session = this.session;
    const start = this.starts[index];
    const length = this.ends[index] - start;
    if (session.noTouch) return this.engine.readUntouched(this.domain, this.bytes, start, length);
    return this.engine.read(this.domain, this.bytes, start, length);
  }

  /** Stores `source[start, end)` at the key in this argument, and says so; false: there is no room. */
  store(
    index: number,
    source: Uint8Array,
    start: number,
    end: number,
    deadlineMs: number,
  ): boolean {
    const ref = this.engine.set(
      this.domain,
      this.bytes,
      this.starts[index],
      this.length(index),
      source,
      start,
      end - start,
      deadlineMs,
    );
    if (ref === 0) return false;
    this.changed(index, ref);
    return true;
  }

  /**
   * Stores an argument as the value of the key in another. Replies with an error where it can't:
   * in the place of whatever was written from `replyStart` on.
   */
  storeArgument(
    key: number,
    value: number,
    deadlineMs: number,
    replyStart = this.out.length,
  ): boolean {
    const { keyBytesMax, valueBytesMax } = this.node.settings;
    const start = this.starts[value];
    const end = this.ends[value];
    if (this.length(key) > keyBytesMax || end - start > valueBytesMax) {
      this.out.length = replyStart;
      this.fitsLimits(key, end - start);
      return false;
    }
    if (this.store(key, this.bytes, start, end, deadlineMs)) return true;
    this.out.length = replyStart;
    this.fail(ERRORS.noRoom);
    return false;
  }

  /** Whether the key in this argument, and a value so long, are within limits; else says so. */
  fitsLimits(index: number, valueLength: number): boolean {
    const { keyBytesMax, valueBytesMax } = this.node.settings;
    if (this.length(index) > keyBytesMax) {
      this.fail(`ERR key of ${this.length(index)} bytes exceeds the limit of ${keyBytesMax} bytes`);
      return false;
    }
    if (valueLength > valueBytesMax) {
      this.fail(ERRORS.valueTooLong);
      return false;
    }
    return true;
  }

  /** Whether there can be room for so many bytes of keys and values; else says so. */
  hasRoomFor(bytes: number): boolean {
    if (this.engine.hasRoomFor(this.domain, bytes)) return true;
    this.fail(ERRORS.noRoom);
    return false;
  }

  /**
   * Makes room for a value of this length at the key in this argument, or replies with an error. A
   * `resize` to that length, which is to follow at once, then succeeds. A value that has the length
   * already needs no room.
   */
  reserve(index: number, valueLength: number): boolean {
    if (!this.fitsLimits(index, valueLength)) return false;
    const ref = this.find(index);
    if (ref !== 0 && this.engine.arena.valueLength(ref) === valueLength) return true;
    if (this.engine.reserve(this.domain, this.length(index), valueLength)) return true;
    this.fail(ERRORS.noRoom);
    return false;
  }

  /** Gives the value of the key in this argument a length, after `reserve`; see `Engine.resize`. */
  resize(index: number, valueLength: number): number {
    const start = this.starts[index];
    const ref = this.engine.resize(
      this.domain,
      this.bytes,
      start,
      this.ends[index] - start,
      valueLength,
    );
    invariant(ref !== 0, 'there is room after reserve');
    return ref;
  }

  /** Removes the record of the key in this argument. */
  remove(index: number, ref: number): void {
    this.engine.remove(this.domain, ref);
    this.changed(index, 0);
  }

  /** The key in this argument has a new value or deadline, by this record; or is gone: 0. */
  changed(index: number, ref: number): void {
    this.node.keyChanged(
      this.domain,
      this.bytes,
      this.starts[index],
      this.ends[index],
      this.slot,
      ref,
      this.session,
    );
  }

  /**
   * Replies with an error. `text` begins with its code, such as `ERR`; each character of it is a
   * byte, as `text()` gives arguments. Line ends become spaces, except at the end, where they go.
   */
  fail(text: string): void {
    this.failed = true;
    this.node.countError(text);
    const line = text.replace(/[\r\n]+$/, '').replaceAll(/[\r\n]/g, ' ');
    writeEncoded(this.out, Buffer.from(`-${line}\r\n`, 'latin1'));
  }

  failArity(): void {
    this.fail(`ERR wrong number of arguments for '${this.commandName}' command`);
  }

  /** For a subcommand whose number of arguments is wrong in a way that arity can't tell. */
  failSubcommand(): void {
    const container = this.text(0).toUpperCase();
    this.fail(
      `ERR unknown subcommand or wrong number of arguments for '${this.text(1)}'. ` +
        `Try ${container} HELP.`,
    );
  }

  /** As error texts name it. */
  get commandName(): string {
    return this.command?.fullName ?? '';
  }

  /** The integer in an argument, see `parseInteger`; NaN after it has replied with an error. */
  integer(index: number, errorText: string = ERRORS.notInteger): number {
    const value = parseInteger(this.bytes, this.starts[index], this.ends[index]);
    if (Number.isNaN(value)) this.fail(errorText);
    return value;
  }

  /** Like `integer`, for one that must be from `min` to `max`. */
  integerWithin(index: number, min: number, max: number): number {
    const value = this.integer(index);
    if (Number.isNaN(value) || (value >= min && value <= max)) return value;
    this.fail(`ERR value is out of range, value must between ${min} and ${max}`);
    return NaN;
  }

  replyInteger(value: number): void {
    writeInteger(this.out, value);
  }

  ok(): void {
    writeEncoded(this.out, REPLIES.ok);
  }

  null(): void {
    writeNull(this.out, this.version);
  }
}

/** Bytes as text, each byte one character. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

export function untilNul(text: string): string {
  return text.split('\0', 1)[0];
}
