/**
 * Secrets of tenants: made here, shown once, kept as a hash.
 *
 * A secret is 192 bits of randomness, which no work factor has to protect from guessing: the hash
 * is there so that a copy of the store opens nothing. scrypt's cost is therefore low (half a
 * millisecond), since every node pays it for each tenant; the hash says what it was. It is worked out
 * beside the event loop, a few at a time: what the leader owes its nodes does not wait.
 */
import type { Runtime } from '../../runtime/index.ts';

const SECRET_BYTES = 24;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const COST = { N: 256, r: 8, p: 1 };
/** At once: leaves threads of the process' pool to the disk. */
const RUNNING_MAX = 2;

export interface MadeSecret {
  /** 32 letters, digits, - and _. */
  readonly secret: string;
  /** `scrypt$N$r$p$salt$hash`, the last two in base64. */
  readonly hash: string;
}

type Made = (made: MadeSecret) => void;

export class SecretMaker {
  readonly #runtime: Pick<Runtime, 'crypto' | 'random'>;
  readonly #waiting: Made[] = [];
  #running = 0;

  constructor(runtime: Pick<Runtime, 'crypto' | 'random'>) {
    this.#runtime = runtime;
  }

  /** @param done called later, in the order of the calls */
  make(done: Made): void {
    this.#waiting.push(done);
    this.#next();
  }

  #next(): void {
    if (this.#running >= RUNNING_MAX) return;
    const done = this.#waiting.shift();
    if (done === undefined) return;
    this.#running++;
    const { random, crypto } = this.#runtime;
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
    const salt = random.bytes(SALT_BYTES);
    crypto.scrypt(Buffer.from(secret), salt, HASH_BYTES, COST, (error, key) => {
      this.#running--;
      // The cost is one that scrypt can have, so only memory can be short.
      if (error === undefined) done({ secret, hash: hashText(salt, key) });
      else this.#waiting.unshift(done);
      this.#next();
    });
  }
}

function hashText(salt: Uint8Array, key: Uint8Array): string {
  const { N, r, p } = COST;
  const inBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return `scrypt$${N}$${r}$${p}$${inBase64(salt)}$${inBase64(key)}`;
}
