/**
 * What administrators are told of one tenant, as an object that the linearizability checker can play
 * through. Each write gives it a quota that no other write gives, so a version is known by its quota,
 * and a guard by a revision is one by the quota that was seen with it.
 */
import type { Model, Operation } from '../linearizability-model.ts';

export type TenantInput =
  | { readonly kind: 'show' }
  | { readonly kind: 'create'; readonly maxQps: number }
  /** `seen`: only where it still is so; undefined: in any case. */
  | { readonly kind: 'update'; readonly maxQps: number; readonly seen: number | undefined }
  | { readonly kind: 'delete'; readonly seen: number | undefined };

export type TenantOutput =
  | { readonly kind: 'shown'; readonly maxQps: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly why: 'exists' | 'absent' | 'changed' };

export type TenantOperation = Operation<TenantInput, TenantOutput>;

/** Undefined: there is none. */
type State = number | undefined;

const REFUSED = { exists: 'refused: exists', absent: 'refused: none', changed: 'refused: changed' };

export const tenantModel: Model<State, TenantInput, TenantOutput> = {
  initial: undefined,

  step(state, input, output) {
    const refusal = refusalOf(state, input);
    if (output === undefined) return [refusal === undefined ? after(state, input) : state];
    if (output.kind === 'refused') return output.why === refusal ? [state] : [];
    if (refusal !== undefined) return [];
    if (output.kind === 'shown' && output.maxQps !== state) return [];
    return [after(state, input)];
  },

  isReadOnly(input, output) {
    return input.kind === 'show' || output?.kind === 'refused';
  },

  ignoresState() {
    return false;
  },

  stateKey: String,

  describeInput(input) {
    const guard = 'seen' in input && input.seen !== undefined ? ` if still ${input.seen}` : '';
    return 'maxQps' in input ? `${input.kind} with ${input.maxQps}${guard}` : input.kind + guard;
  },

  describeOutput(_input, output) {
    if (output.kind === 'shown') return `returned ${output.maxQps}`;
    return output.kind === 'done' ? 'done' : REFUSED[output.why];
  },

  describeState(state) {
    return state === undefined ? 'is not there' : `has ${state}`;
  },
};

function refusalOf(state: State, input: TenantInput): 'exists' | 'absent' | 'changed' | undefined {
  if (input.kind === 'create') return state === undefined ? undefined : 'exists';
  if (state === undefined) return 'absent';
  const isGuarded = input.kind !== 'show' && input.seen !== undefined;
  return isGuarded && input.seen !== state ? 'changed' : undefined;
}

function after(state: State, input: TenantInput): State {
  if (input.kind === 'show') return state;
  return input.kind === 'delete' ? undefined : input.maxQps;
}
