/**
 * Whether a secret is that of a tenant, by its scrypt hash.
 *
 * scrypt takes milliseconds by design: it runs beside the event loop, a few at a time, and once for
 * each secret. Which secret was right is then known by a keyed hash, for as long as the process
 * lives: equal ones are accepted and others refused in microseconds.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Runtime } from '../../runtime/index.ts';

/** `busy`: too many are being checked; the client may try again. */
export type SecretVerdict = 'right' | 'wrong' | 'busy';

interface ParsedHash {
  readonly cost: { readonly N: number; readonly r: number; readonly p: number };
  readonly salt: Buffer;
  readonly key: Buffer;
}

interface Check {
  readonly hash: string;
  readonly parsed: ParsedHash;
  readonly secret: Uint8Array;
  readonly digest: Buffer;
  readonly waiting: Array<(verdict: SecretVerdict) => void>;
}

/** At once: leaves threads of the process' pool to the disk. */
const RUNNING_MAX = 2;
const WAITING_MAX = 256;
/** Tenants whose secret is known. */
const KNOWN_MAX = 20_000;
/** What one check may take of memory: 128 * N * r bytes. */
const COST_MAX = 2 ** 20;

export class Secrets {
  readonly #runtime: Pick<Runtime, 'crypto'>;
  readonly #hmacKey: Uint8Array;
  /** The digest of the right secret, by the scrypt hash. */
  readonly #known = new Map<string, Buffer>();
  readonly #checks = new Map<string, Check>();
  readonly #queue: Check[] = [];
  #running = 0;

  constructor(runtime: Pick<Runtime, 'crypto' | 'random'>) {
    this.#runtime = runtime;
    this.#hmacKey = runtime.random.bytes(32);
  }

  /**
   * @param done called once: at once where it is known, else after this call has returned
   */
  verify(hash: string, secret: Uint8Array, done: (verdict: SecretVerdict) => void): void {
    const digest = this.#digest(secret);
    const known = this.#known.get(hash);
    if (known !== undefined) {
      done(timingSafeEqual(known, digest) ? 'right' : 'wrong');
      return;
    }
    const name = nameOf(hash, digest);
    const underWay = this.#checks.get(name);
    if (underWay !== undefined) {
      underWay.waiting.push(done);
      return;
    }
    const parsed = parseHash(hash);
    if (parsed === undefined) {
      done('wrong');
    } else if (this.#queue.length >= WAITING_MAX) {
      done('busy');
    } else {
      const check: Check = { hash, parsed, secret, digest, waiting: [done] };
      this.#checks.set(name, check);
      this.#queue.push(check);
      this.#next();
    }
  }

  #next(): void {
    if (this.#running >= RUNNING_MAX) return;
    const check = this.#queue.shift();
    if (check === undefined) return;
    this.#running++;
    const { salt, key, cost } = check.parsed;
    this.#runtime.crypto.scrypt(check.secret, salt, key.length, cost, (error, found) => {
      this.#running--;
      const isRight = error === undefined && timingSafeEqual(found, key);
      this.#finish(check, isRight ? 'right' : 'wrong');
      this.#next();
    });
  }

  #finish(check: Check, verdict: SecretVerdict): void {
    const { hash, digest, waiting } = check;
    this.#checks.delete(nameOf(hash, digest));
    if (verdict === 'right') {
      this.#known.set(hash, digest);
      if (this.#known.size > KNOWN_MAX) {
        for (const oldest of this.#known.keys()) {
          this.#known.delete(oldest);
          break;
        }
      }
    }
    for (const done of waiting) done(verdict);
  }

  #digest(secret: Uint8Array): Buffer {
    return createHmac('sha256', this.#hmacKey).update(secret).digest();
  }
}

function nameOf(hash: string, digest: Buffer): string {
  return `${hash}$${digest.toString('base64')}`;
}

/** `scrypt$N$r$p$salt$key`; undefined where it is none, or one that costs too much to check. */
function parseHash(text: string): ParsedHash | undefined {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,4})\$(\d{1,4})\$([\w+/]+=*)\$([\w+/]+=*)$/.exec(text);
  if (match === null) return undefined;
  const [N, r, p] = [match[1], match[2], match[3]].map(Number);
  const [salt, key] = [match[4], match[5]].map((part) => Buffer.from(part, 'base64'));
  const isSane = key.length >= 16 && p >= 1 && r >= 1 && N * r * p <= COST_MAX;
  return isSane ? { cost: { N, r, p }, salt, key } : undefined;
}
