/**
 * The state machine of the simulated group: named registers. It keeps a digest of its whole
 * history, so that two peers that have applied the same index can be compared by one number.
 */
import type { StateMachine } from '../../raft/index.ts';
import { hashBytes, mix } from '../keyed-random.ts';
import type { RegisterInput, RegisterOutput } from '../linearizability-register.ts';

type Change = Exclude<RegisterInput, { kind: 'read' }>;

export interface RegisterCommand {
  /** Of the operation: no two commands are equal, but those that are one proposed twice. */
  readonly tag: number;
  readonly key: string;
  readonly input: Change;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Fields are separated by a space: keys and values have none. */
export function encodeRegisterCommand({ tag, key, input }: RegisterCommand): Uint8Array {
  switch (input.kind) {
    case 'write':
      return encoder.encode(`w ${tag} ${key} ${input.value}`);
    case 'cas':
      return encoder.encode(`c ${tag} ${key} ${input.value} ${input.expected ?? ''}`);
    case 'delete':
      return encoder.encode(`d ${tag} ${key}`);
  }
}

/** What `RegisterMachine.apply` has answered to a command of this kind. */
export function decodeRegisterAnswer(kind: Change['kind'], answer: Uint8Array): RegisterOutput {
  const isYes = answer[0] === 1;
  if (kind === 'cas') return { kind, swapped: isYes };
  return kind === 'delete' ? { kind, existed: isYes } : { kind };
}

const NO = Uint8Array.of(0);
const YES = Uint8Array.of(1);

export class RegisterMachine implements StateMachine {
  readonly #registers = new Map<string, string>();
  readonly #onApply: (index: number, digest: number, tag: number) => void;
  #digest = 0;
  /** What the last snapshot was made of. */
  digestSaved = 0;

  /** @param onApply told after each command, with the digest of all applied so far, and its tag */
  constructor(onApply: (index: number, digest: number, tag: number) => void) {
    this.#onApply = onApply;
  }

  get digest(): number {
    return this.#digest;
  }

  read(key: string): string | undefined {
    return this.#registers.get(key);
  }

  apply(command: Uint8Array, index: number): Uint8Array {
    const [kind, tag, key, value, expected] = decoder.decode(command).split(' ');
    this.#digest = mix(mix(this.#digest, index), hashBytes(command)) >>> 0;
    const answer = this.#change(kind, key, value, expected === '' ? undefined : expected);
    this.#onApply(index, this.#digest, Number(tag));
    return answer;
  }

  snapshot(): Iterable<Uint8Array> {
    this.digestSaved = this.#digest;
    const registers = [...this.#registers].map(([key, value]) => `${key} ${value}`);
    const bytes = encoder.encode([String(this.#digest), ...registers].join('\n'));
    // In pieces, as a large state would come.
    const half = bytes.length >> 1;
    return [bytes.slice(0, half), bytes.slice(half)];
  }

  restore(pieces: Iterable<Uint8Array>): void {
    const [digest, ...registers] = decoder.decode(Buffer.concat([...pieces])).split('\n');
    this.#digest = Number(digest);
    this.#registers.clear();
    for (const register of registers) {
      const [key, value] = register.split(' ');
      this.#registers.set(key, value);
    }
  }

  #change(kind: string, key: string, value: string, expected: string | undefined): Uint8Array {
    const before = this.#registers.get(key);
    switch (kind) {
      case 'c':
        if (before !== expected) return NO;
        this.#registers.set(key, value);
        return YES;
      case 'd':
        return this.#registers.delete(key) ? YES : NO;
      default:
        this.#registers.set(key, value);
        return YES;
    }
  }
}
