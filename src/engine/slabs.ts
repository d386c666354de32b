/**
 * The address space of an engine, reserved when its limit is set and handed out in blocks of one
 * size. So a call that needs memory takes a number from a list and asks nobody: a new `ArrayBuffer`
 * would count towards V8's next full collection, and every hundredth would pay for one.
 *
 * The kernel gives a page of a slab when it is first touched, so a reservation costs no memory. A
 * block that comes back keeps its pages and is handed out before untouched ones, those of lower
 * slabs first; a slab that has had all its blocks back is exchanged for an untouched one. Who expects
 * to need much at once can have pages touched before (`makeReady`).
 *
 * Invariants: a block is handed out at most once until it is given back; blocks of one slab below
 * its `fresh` mark have been handed out before, those from there on never.
 */
import { invariant } from '../runtime/index.ts';

/** A slab is at most so many blocks, and a limit about sixteen slabs: reserving costs V8 a
 * collection each, and what is given back is whole slabs. */
const BLOCKS_MAX_SHIFT = 10;
const BLOCKS_MAX = 1 << BLOCKS_MAX_SHIFT;
const BLOCKS_MIN = 64;
const SLABS_WANTED = 16;
const PAGE_BYTES = 4096;

interface Slab {
  buffer: ArrayBuffer;
  readonly blocks: number;
  /** Blocks from here on have never been handed out. */
  fresh: number;
  /** Bytes from its start that were made ready, or handed out since. */
  readyBytes: number;
  /** Those that have come back. */
  readonly returned: number[];
  /** When it was first seen with no block handed out, though touched; NaN: it was not. */
  idleSinceMs: number;
}

export class Slabs {
  /** A power of two. */
  readonly blockBytes: number;
  readonly #slabs: Slab[] = [];
  /** No slab below this one has a block left. */
  #lowest = 0;

  constructor(blockBytes: number, limitBytes: number) {
    this.blockBytes = blockBytes;
    this.reserve(limitBytes);
  }

  /** Memory that may be resident: what was handed out at any time and not given back since. */
  get bytesTouched(): number {
    let bytes = 0;
    for (const slab of this.#slabs) bytes += this.#touchedOf(slab);
    return bytes;
  }

  #touchedOf({ fresh, readyBytes }: Slab): number {
    return Math.max(fresh * this.blockBytes, readyBytes);
  }

  /**
   * Touches pages that are handed out next, until so much is free that needs nothing of the kernel.
   *
   * @param pagesMax to touch now
   * @returns how many were touched
   */
  makeReady(aheadBytes: number, pagesMax: number): number {
    let pages = 0;
    let missing = aheadBytes;
    for (const slab of this.#slabs) {
      if (missing <= 0 || pages === pagesMax) break;
      const handedOut = slab.fresh * this.blockBytes;
      missing -= slab.returned.length * this.blockBytes;
      const from = this.#touchedOf(slab);
      const wanted = Math.min(slab.buffer.byteLength, handedOut + Math.max(0, missing));
      const to = Math.min(wanted, from + (pagesMax - pages) * PAGE_BYTES);
      const octets = new Uint8Array(slab.buffer);
      for (let at = from; at < to; at += PAGE_BYTES) {
        octets[at] = 0;
        pages++;
      }
      slab.readyBytes = Math.max(from, to);
      missing -= slab.readyBytes - handedOut;
    }
    return pages;
  }

  /** Reserves what is missing to a limit, and drops untouched slabs that are beyond it. */
  reserve(limitBytes: number): void {
    const wanted = Math.ceil(limitBytes / this.blockBytes);
    let blocks = 0;
    for (const slab of this.#slabs) blocks += slab.blocks;
    const size = Math.min(BLOCKS_MAX, Math.max(BLOCKS_MIN, Math.ceil(wanted / SLABS_WANTED)));
    while (blocks < wanted) {
      this.#add(Math.min(size, wanted - blocks));
      blocks = blocks + Math.min(size, wanted - blocks);
    }
    for (;;) {
      const last = this.#slabs.at(-1);
      const isTouched = last !== undefined && this.#touchedOf(last) > 0;
      if (last === undefined || isTouched || blocks - last.blocks < wanted) return;
      blocks -= last.blocks;
      this.#slabs.pop();
    }
  }

  /** The number of a block that is the caller's until `give`. Its bytes are anything. */
  take(): number {
    for (let at = this.#lowest; at < this.#slabs.length; at++) {
      const slab = this.#slabs[at];
      const block = slab.returned.pop() ?? (slab.fresh < slab.blocks ? slab.fresh++ : -1);
      if (block !== -1) {
        this.#lowest = at;
        slab.idleSinceMs = NaN;
        return (at << BLOCKS_MAX_SHIFT) | block;
      }
    }
    // A limit that was lowered is exceeded until records have made way.
    this.#lowest = this.#slabs.length;
    this.#add(BLOCKS_MIN);
    return this.take();
  }

  give(block: number): void {
    const at = block >>> BLOCKS_MAX_SHIFT;
    const slab = this.#slabs[at];
    slab.returned.push(block & (BLOCKS_MAX - 1));
    invariant(slab.returned.length <= slab.fresh, 'a block comes back once');
    if (at < this.#lowest) this.#lowest = at;
  }

  buffer(block: number): ArrayBuffer {
    return this.#slabs[block >>> BLOCKS_MAX_SHIFT].buffer;
  }

  /** Where the block begins in its buffer. */
  offset(block: number): number {
    return (block & (BLOCKS_MAX - 1)) * this.blockBytes;
  }

  /**
   * Gives the memory of one slab back that has held nothing for so long; the rest is for the calls
   * that follow. Not sooner, since memory that is given back has to be got again page by page.
   *
   * @returns whether there was one
   */
  giveBackIdle(nowMs: number, idleMs: number): boolean {
    for (const slab of this.#slabs) {
      if (slab.fresh === 0 || slab.returned.length < slab.fresh) continue;
      if (Number.isNaN(slab.idleSinceMs)) slab.idleSinceMs = nowMs;
      if (nowMs - slab.idleSinceMs < idleMs) continue;
      slab.buffer = new ArrayBuffer(slab.buffer.byteLength);
      slab.fresh = 0;
      slab.readyBytes = 0;
      slab.returned.length = 0;
      slab.idleSinceMs = NaN;
      return true;
    }
    return false;
  }

  #add(blocks: number): void {
    this.#slabs.push({
      buffer: new ArrayBuffer(blocks * this.blockBytes),
      blocks,
      fresh: 0,
      readyBytes: 0,
      returned: [],
      idleSinceMs: NaN,
    });
  }
}
