/** One key of a key-value store: read, write, compare and set, delete. */
import { invariant } from '../runtime/index.ts';
import type { Model, Operation } from './linearizability-model.ts';

/** What the key holds; undefined where it is absent. */
export type RegisterState = string | undefined;

export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'cas'; readonly expected: RegisterState; readonly value: string }
  | { readonly kind: 'delete' };

export type RegisterOutput =
  | { readonly kind: 'read'; readonly value: RegisterState }
  | { readonly kind: 'write' }
  | { readonly kind: 'cas'; readonly swapped: boolean }
  | { readonly kind: 'delete'; readonly existed: boolean };

export type RegisterOperation = Operation<RegisterInput, RegisterOutput>;

const REFUSED: readonly RegisterState[] = [];

export const registerModel: Model<RegisterState, RegisterInput, RegisterOutput> = {
  initial: undefined,

  step(state, input, output) {
    invariant(output === undefined || output.kind === input.kind, 'the answer is to the question');
    switch (input.kind) {
      case 'read':
        return output?.kind !== 'read' || output.value === state ? [state] : REFUSED;
      case 'write':
        return [input.value];
      case 'cas': {
        const swaps = state === input.expected;
        if (output?.kind === 'cas' && output.swapped !== swaps) return REFUSED;
        return [swaps ? input.value : state];
      }
      case 'delete': {
        const existed = state !== undefined;
        return output?.kind === 'delete' && output.existed !== existed ? REFUSED : [undefined];
      }
    }
  },

  isReadOnly(input, output) {
    if (input.kind === 'read') return true;
    if (output?.kind === 'cas') return !output.swapped;
    return output?.kind === 'delete' && !output.existed;
  },

  ignoresState(input, output) {
    return input.kind === 'write' || (input.kind === 'delete' && output === undefined);
  },

  stateKey(state) {
    return state === undefined ? '' : `=${state}`;
  },

  describeInput(input) {
    switch (input.kind) {
      case 'read':
      case 'delete':
        return input.kind;
      case 'write':
        return `write ${quoted(input.value)}`;
      case 'cas':
        return `compare ${quoted(input.expected)} and set ${quoted(input.value)}`;
    }
  },

  describeOutput(_input, output) {
    switch (output.kind) {
      case 'read':
        return `returned ${quoted(output.value)}`;
      case 'write':
        return 'done';
      case 'cas':
        return output.swapped ? 'swapped' : 'refused';
      case 'delete':
        return output.existed ? 'deleted' : 'was absent';
    }
  },

  describeState(state) {
    return state === undefined ? 'is absent' : `holds ${quoted(state)}`;
  },
};

function quoted(value: RegisterState): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
