/**
 * What clients are told of a group of keys, as an object that the linearizability checker can play
 * through. Every value is written once, so a version is known by its value, and the model needs no
 * revisions: those are compared with each other by `revisions.ts`.
 */
import type { Change } from '../../meta/index.ts';
import type { Model, Operation } from '../linearizability-model.ts';

export type Values = ReadonlyMap<string, string>;

/** A key must hold `expected` (undefined: be absent), or be present whatever it holds. */
export type ModelCompare =
  | { readonly key: string; readonly expected: string | undefined }
  | { readonly key: string; readonly isPresent: true };

export type StoreInput =
  | { readonly kind: 'read' }
  | {
      readonly kind: 'commit';
      readonly compares: readonly ModelCompare[];
      readonly changes: readonly Change[];
    };

export type StoreOutput =
  | { readonly kind: 'read'; readonly values: Values }
  | { readonly kind: 'committed' }
  /** The keys whose compares failed, and what they held. */
  | {
      readonly kind: 'conflict';
      readonly failed: ReadonlyArray<readonly [string, string | undefined]>;
    };

export type StoreOperation = Operation<StoreInput, StoreOutput>;

const IMPOSSIBLE: readonly Values[] = [];

export const storeModel: Model<Values, StoreInput, StoreOutput> = {
  initial: new Map(),

  step(state, input, output) {
    if (input.kind === 'read') {
      const isSeen = output?.kind !== 'read' || keyOf(output.values) === keyOf(state);
      return isSeen ? [state] : IMPOSSIBLE;
    }
    const failed = input.compares.filter((compare) => !holds(compare, state));
    if (output?.kind === 'conflict') {
      const told = failed.map(({ key }) => [key, state.get(key)] as const);
      return failed.length > 0 && JSON.stringify(told) === JSON.stringify(output.failed)
        ? [state]
        : IMPOSSIBLE;
    }
    if (failed.length > 0) return output === undefined ? [state] : IMPOSSIBLE;
    return [changed(state, input.changes)];
  },

  isReadOnly(input, output) {
    return input.kind === 'read' || output?.kind === 'conflict';
  },

  ignoresState() {
    return false;
  },

  stateKey: keyOf,

  describeInput(input) {
    if (input.kind === 'read') return 'read';
    const compares = input.compares.map((compare) =>
      'isPresent' in compare
        ? `${compare.key} is there`
        : `${compare.key} is ${compare.expected ?? 'absent'}`,
    );
    const changes = input.changes.map((change) =>
      change.kind === 'put'
        ? `put ${change.key} ${change.value}`
        : `${change.kind} ${'key' in change ? change.key : change.prefix}`,
    );
    return `${compares.length === 0 ? '' : `if ${compares.join(' and ')}: `}${changes.join(', ')}`;
  },

  describeOutput(_input, output) {
    if (output.kind === 'read') return `returned ${wordsOf(output.values)}`;
    if (output.kind === 'committed') return 'committed';
    return `conflict: ${output.failed.map(([key, held]) => `${key} is ${held ?? 'absent'}`).join(', ')}`;
  },

  describeState(state) {
    return `holds ${wordsOf(state)}`;
  },
};

function holds(compare: ModelCompare, state: Values): boolean {
  if ('isPresent' in compare) return state.has(compare.key);
  return state.get(compare.key) === compare.expected;
}

function changed(state: Values, changes: readonly Change[]): Values {
  const next = new Map(state);
  for (const change of changes) {
    if (change.kind === 'put') next.set(change.key, change.value);
    else if (change.kind === 'delete') next.delete(change.key);
    else for (const key of state.keys()) if (key.startsWith(change.prefix)) next.delete(key);
  }
  return next;
}

function keyOf(values: Values): string {
  return wordsOf(values);
}

function wordsOf(values: Values): string {
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0
    ? 'nothing'
    : sorted.map(([key, value]) => `${key}=${value}`).join(' ');
}
