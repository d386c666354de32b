/** Makes the eviction policies of domains: with regard to copies, where an engine holds any. */
import type { Random } from '../runtime/index.ts';
import type { Arena } from './arena.ts';
import type { DomainAccount } from './domain-account.ts';
import type { KeyHash } from './hash.ts';
import {
  CopyAwarePolicy,
  createPolicy,
  type CopyMarks,
  type EvictionPolicy,
  type PolicyName,
} from './policy/index.ts';
import type { TableMemory } from './table-memory.ts';

/** Whether this node decides what becomes of a key. */
export type IsOwn = (octets: Uint8Array, keyStart: number, keyLength: number) => boolean;

export class DomainPolicies {
  readonly #arena: Arena;
  readonly #tables: TableMemory;
  readonly #random: Random;
  readonly #marks: CopyMarks | undefined;

  /** `isOwn` is absent where there are no copies. */
  constructor(
    arena: Arena,
    tables: TableMemory,
    hash: KeyHash,
    { random, isOwn }: { readonly random: Random; readonly isOwn?: IsOwn },
  ) {
    this.#arena = arena;
    this.#tables = tables;
    this.#random = random;
    this.#marks = isOwn === undefined ? undefined : marksIn(arena, hash, isOwn);
  }

  create(name: PolicyName, account: DomainAccount, nowMs: number): EvictionPolicy {
    const policy = createPolicy(name, this.#arena, this.#random.uint32(), this.#tables);
    policy.nowSeconds = Math.floor(nowMs / 1000);
    return this.#marks === undefined ? policy : new CopyAwarePolicy(policy, this.#marks, account);
  }
}

function marksIn(arena: Arena, hash: KeyHash, isOwn: IsOwn): CopyMarks {
  return {
    isCopy: (ref) => arena.isCopy(ref),
    setCopy: (ref, isCopy) => arena.setCopy(ref, isCopy),
    recordBytes: (ref) => arena.recordBytes(ref),
    hashOf: (ref) => hash.ofRecord(arena, ref),
    isOwn: (ref) => isOwn(arena.octets(ref), arena.keyStart(ref), arena.keyLength(ref)),
  };
}
