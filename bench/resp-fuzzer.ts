/**
 * Random and mutated inputs for the codec, from a seed, many thousands a second.
 *
 * Each input is read twice by a server's reader and by a client's parser: whole, and cut into
 * pieces that share one array which is overwritten after each. The two must agree, nothing may be
 * thrown, and memory must stay within what has arrived. A violation throws, with the input.
 */

import {
  INCOMPLETE,
  OVERSIZED,
  PROTOCOL_ERROR,
  type Reply,
  REPLY_LIMITS,
  ReplyError,
  type ReplyLimits,
  ReplyMap,
  ReplyParser,
  ReplySet,
  ReplySkimmer,
  REQUEST_LIMITS,
  type RequestLimits,
  RequestReader,
  VerbatimText,
} from '../src/resp/index.ts';

export interface FuzzCounts {
  inputs: number;
  bytes: number;
  requests: number;
  oversized: number;
  protocolErrors: number;
  replies: number;
  replyErrors: number;
  /** The most memory that a reader held between pieces, in bytes. */
  carryBytesMax: number;
}

const INPUT_BYTES_MAX = 16 * 1024;
const PIECES_MAX = 6;
const MUTATIONS_MAX = 6;

/** Half of the inputs are read under limits that they reach. */
const REQUEST_LIMITS_SMALL: RequestLimits = {
  argumentCountMax: 16,
  argumentBytesMax: 1024,
  requestBytesMax: 1500,
  lineBytesMax: 48,
};
const REPLY_LIMITS_SMALL: ReplyLimits = {
  depthMax: 3,
  elementCountMax: 8,
  replyBytesMax: 600,
  lineBytesMax: 48,
};

const TOKENS = [
  '*$+-:_,(!=%~|> "\'\r\n\0\u00ff'.split(''),
  '0 1 -1 9 16 17 1024 1025 65536 1048577 536870912 536870913 2147483648'.split(' '),
  '9223372036854775807 9223372036854775808 #t GET POST Host: \\x4'.split(' '),
  ['\r\n', '*0\r\n', '*-1\r\n', '$0\r\n\r\n', '$-1\r\n', ' HTTP/1.1\r\n'],
].flat();

const REQUESTS = [
  '*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n',
  '*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$10\r\nvalue-0123\r\n',
  `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1030\r\n${'v'.repeat(1030)}\r\n`,
  `*3\r\n$4\r\nMSET\r\n$700\r\n${'a'.repeat(700)}\r\n$900\r\n${'b'.repeat(900)}\r\n`,
  `*16\r\n${'$1\r\nx\r\n'.repeat(16)}`,
  'PING\r\n',
  'SET "a b\\x00\\n" \'c d\'\r\n',
  '\r\n*0\r\n*-1\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
].map(bytesOf);

const REPLIES = [
  '+OK\r\n-ERR no\r\n:12\r\n:-9223372036854775808\r\n',
  '$5\r\nhello\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5e3\r\n(123456789012345678901\r\n',
  '*3\r\n$1\r\na\r\n*2\r\n:1\r\n~1\r\n+x\r\n%1\r\n+k\r\n$1\r\nv\r\n',
  '|1\r\n+ttl\r\n:3\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n',
].map(bytesOf);

const CORPORA = [REQUESTS, REPLIES, [...REQUESTS, ...REPLIES]];

const TOKEN_BYTES = TOKENS.map(bytesOf);

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** Marsaglia's xorshift with 32 bits of state: fast, and the same from the same seed. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed === 0 ? 1 : seed | 0;
  }

  /** A whole number in [0, `limit`). */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

export class RespFuzzer {
  readonly counts: FuzzCounts = {
    inputs: 0,
    bytes: 0,
    requests: 0,
    oversized: 0,
    protocolErrors: 0,
    replies: 0,
    replyErrors: 0,
    carryBytesMax: 0,
  };
  readonly #chance: Chance;
  readonly #input = new Uint8Array(INPUT_BYTES_MAX);
  #length = 0;
  /** Where the input is cut: ends of pieces, the last one its length. */
  readonly #ends: number[] = [];
  readonly #shared = new Uint8Array(INPUT_BYTES_MAX + 64);

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  run(inputs: number): void {
    for (let done = 0; done < inputs; done++) {
      this.#makeInput();
      this.#cut();
      const isSmall = this.#chance.below(2) === 0;
      try {
        this.#readRequests(isSmall ? REQUEST_LIMITS_SMALL : REQUEST_LIMITS);
        this.#readReplies(isSmall ? REPLY_LIMITS_SMALL : REPLY_LIMITS);
      } catch (error) {
        const input = Buffer.from(this.#input.subarray(0, this.#length)).toString('latin1');
        const words = `after ${this.counts.inputs} inputs, cut at ${this.#ends.join(', ')}`;
        throw new Error(`${words}: ${JSON.stringify(input)}`, { cause: error });
      }
      this.counts.inputs++;
      this.counts.bytes += this.#length;
    }
  }

  #makeInput(): void {
    const chance = this.#chance;
    this.#length = 0;
    if (chance.below(10) === 0) {
      const length = chance.below(200);
      for (let index = 0; index < length; index++) this.#input[index] = chance.below(256);
      this.#length = length;
      return;
    }
    const corpus = chance.of(CORPORA);
    const parts = 1 + chance.below(5);
    for (let part = 0; part < parts; part++) {
      this.#insert(
        this.#length,
        chance.below(6) === 0 ? chance.of(TOKEN_BYTES) : chance.of(corpus),
      );
    }
    for (let left = chance.below(MUTATIONS_MAX); left > 0; left--) this.#mutate();
  }

  #mutate(): void {
    const chance = this.#chance;
    const at = chance.below(this.#length + 1);
    const size = Math.min(1 + chance.below(chance.below(4) === 0 ? 300 : 4), this.#length - at);
    switch (chance.below(6)) {
      case 0:
        this.#insert(at, chance.of(TOKEN_BYTES));
        break;
      case 1:
        this.#insert(at, this.#input.slice(at, at + size));
        break;
      case 2:
        this.#input.copyWithin(at, at + size, this.#length);
        this.#length -= size;
        break;
      case 3:
        if (size > 0) this.#input[at] ^= 1 << chance.below(8);
        break;
      case 4:
        if (size > 0) this.#input[at] = chance.below(256);
        break;
      default:
        this.#length = Math.max(1, at);
    }
  }

  #insert(at: number, bytes: Uint8Array): void {
    if (this.#length + bytes.length > INPUT_BYTES_MAX) return;
    this.#input.copyWithin(at + bytes.length, at, this.#length);
    this.#input.set(bytes, at);
    this.#length += bytes.length;
  }

  #cut(): void {
    this.#ends.length = 0;
    const isByteByByte = this.#length < 64 && this.#chance.below(8) === 0;
    const cuts = isByteByByte ? this.#length : this.#chance.below(PIECES_MAX);
    for (let number = 1; number <= cuts; number++) {
      this.#ends.push(isByteByByte ? number : this.#chance.below(this.#length + 1));
    }
    this.#ends.push(this.#length);
    this.#ends.sort((a, b) => a - b);
  }

  /** Hands each piece to `read`, at some place in the shared array, until that is true. */
  #eachPiece(read: (bytes: Uint8Array, start: number, end: number) => boolean): void {
    const shared = this.#shared;
    let start = 0;
    for (const end of this.#ends) {
      const offset = this.#chance.below(64);
      shared.set(this.#input.subarray(start, end), offset);
      const isOver = read(shared, offset, offset + end - start);
      shared.fill(0x31, offset, offset + end - start);
      if (isOver) return;
      start = end;
    }
  }

  #readRequests(limits: RequestLimits): void {
    const whole = new Digest();
    this.#drainRequests(new RequestReader(limits), whole, this.#input, 0, this.#length);
    const cut = new Digest();
    const reader = new RequestReader(limits);
    let arrived = 0;
    this.#eachPiece((bytes, start, end) => {
      arrived += end - start;
      const isOver = this.#drainRequests(reader, cut, bytes, start, end, this.counts);
      const allocated = reader.bytesAllocated;
      if (allocated > Math.max(4096, 2 * arrived)) throw new Error(`holds ${allocated} bytes`);
      this.counts.carryBytesMax = Math.max(this.counts.carryBytesMax, allocated);
      return isOver;
    });
    if (cut.value !== whole.value) throw new Error('requests depend on where the input is cut');
  }

  #drainRequests(
    reader: RequestReader,
    digest: Digest,
    bytes: Uint8Array,
    start: number,
    end: number,
    counts?: FuzzCounts,
  ): boolean {
    const { request } = reader;
    reader.push(bytes, start, end);
    let code = reader.next();
    for (; code !== INCOMPLETE && code !== PROTOCOL_ERROR; code = reader.next()) {
      digest.add(code);
      if (code === OVERSIZED) {
        digest.addText(request.errorText);
        if (counts !== undefined) counts.oversized++;
        continue;
      }
      for (let index = 0; index < request.argumentCount; index++) {
        digest.addBytes(request.argumentBytes, request.starts[index], request.ends[index]);
      }
      if (counts !== undefined) counts.requests++;
    }
    reader.finish();
    if (code === INCOMPLETE) return false;
    digest.addText(request.errorText);
    if (counts !== undefined) counts.protocolErrors++;
    return true;
  }

  #readReplies(limits: ReplyLimits): void {
    const whole = new Digest();
    this.#drainReplies(new ReplyParser(limits), whole, this.#input, 0, this.#length);
    const cut = new Digest();
    const parser = new ReplyParser(limits);
    this.#eachPiece((bytes, start, end) => {
      return this.#drainReplies(parser, cut, bytes, start, end, this.counts);
    });
    if (cut.value !== whole.value) throw new Error('replies depend on where the input is cut');
    this.#skimReplies();
  }

  #skimReplies(): void {
    const whole = new ReplySkimmer();
    const cut = new ReplySkimmer();
    whole.push(this.#input, 0, this.#length);
    let left = 0;
    while (whole.next()) left++;
    this.#eachPiece((bytes, start, end) => {
      cut.push(bytes, start, end);
      while (cut.next()) left--;
      return cut.hasFailed;
    });
    if (left !== 0) throw new Error('skimmed replies depend on where the input is cut');
  }

  #drainReplies(
    parser: ReplyParser,
    digest: Digest,
    bytes: Uint8Array,
    start: number,
    end: number,
    counts?: FuzzCounts,
  ): boolean {
    parser.push(bytes, start, end);
    let code = parser.next();
    for (; code !== INCOMPLETE && code !== PROTOCOL_ERROR; code = parser.next()) {
      digest.add(code);
      digest.addReply(parser.reply);
      if (counts !== undefined) counts.replies++;
    }
    if (code === INCOMPLETE) return false;
    digest.addText(parser.errorText);
    if (counts !== undefined) counts.replyErrors++;
    return true;
  }
}

/** 32 bits of FNV-1a: two equal ones mean equal contents, but for one case in four billion. */
class Digest {
  value = 0x811c9dc5 | 0;

  add(number: number): void {
    this.value = Math.imul(this.value ^ number, 0x01000193);
  }

  addBytes(bytes: Uint8Array, start: number, end: number): void {
    this.add(end - start);
    for (let index = start; index < end; index++) this.add(bytes[index]);
  }

  addText(text: string): void {
    this.add(text.length);
    for (let index = 0; index < text.length; index++) this.add(text.charCodeAt(index));
  }

  addReply(reply: Reply): void {
    if (reply instanceof Uint8Array) this.addBytes(reply, 0, reply.length);
    else if (reply instanceof ReplyError) this.addText(`-${reply.text}`);
    else if (reply instanceof VerbatimText) this.addText(`${reply.format}:${reply.text}`);
    else if (reply instanceof ReplyMap) this.addReplies(reply.pairs.flat());
    else if (reply instanceof ReplySet) this.addReplies(reply.members);
    else if (typeof reply === 'object' && reply !== null) this.addReplies(reply);
    else this.addText(`${typeof reply} ${reply}`);
  }

  addReplies(replies: readonly Reply[]): void {
    this.add(replies.length);
    for (const reply of replies) this.addReply(reply);
  }
}
