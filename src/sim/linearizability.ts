/**
 * Decides whether a history of concurrent operations could have come from one object that carries
 * out each of them in a single instant between its call and its return.
 *
 * Any number of operations on a key, any of them with an unknown outcome: such a one may take
 * effect at any time after its call, or never. The search ends after a number of steps, not after
 * a time, and so gives the same verdict on every machine.
 *
 * Read `linearizability-model.ts` for what a history and a model are (`linearizability-register.ts`
 * has one), `linearizability-search.ts` for how an order is found, and
 * `linearizability-explain.ts` for what becomes of a violation.
 */
import { type Model, type Operation, STEPS_MAX_DEFAULT } from './linearizability-model.ts';
import { searchOrder } from './linearizability-search.ts';

export interface Violation<Input, Output> {
  readonly verdict: 'violation';
  readonly key: string;
  /** All operations of that key, in the order of their calls. */
  readonly operations: ReadonlyArray<Operation<Input, Output>>;
}

export type Verdict<Input, Output> =
  | { readonly verdict: 'linearizable'; readonly steps: number }
  | Violation<Input, Output>
  /** The budget was spent on the search for this key. */
  | { readonly verdict: 'unknown'; readonly key: string; readonly steps: number };

/** A violation of any key goes before a budget spent on another. */
export function checkLinearizable<State, Input, Output>(
  history: ReadonlyArray<Operation<Input, Output>>,
  model: Model<State, Input, Output>,
  stepsMax = STEPS_MAX_DEFAULT,
): Verdict<Input, Output> {
  let unknown: Verdict<Input, Output> | undefined;
  let steps = 0;
  for (const [key, operations] of partitionByKey(history)) {
    const search = searchOrder(operations, model, stepsMax);
    steps += search.steps;
    if (search.verdict === 'violation') return { verdict: 'violation', key, operations };
    if (search.verdict === 'unknown') unknown ??= { verdict: 'unknown', key, steps: search.steps };
  }
  return unknown ?? { verdict: 'linearizable', steps };
}

function partitionByKey<Input, Output>(
  history: ReadonlyArray<Operation<Input, Output>>,
): Map<string, Array<Operation<Input, Output>>> {
  const partitions = new Map<string, Array<Operation<Input, Output>>>();
  for (const operation of history) {
    const partition = partitions.get(operation.key);
    if (partition === undefined) partitions.set(operation.key, [operation]);
    else partition.push(operation);
  }
  for (const partition of partitions.values()) partition.sort((a, b) => a.calledAt - b.calledAt);
  return partitions;
}
