/** Whether what clients were told has one order that explains it all. */
import { checkLinearizable } from '../linearizability.ts';
import { explainViolation } from '../linearizability-explain.ts';
import type { Model, Operation } from '../linearizability-model.ts';
import { OracleViolation } from '../simulation.ts';

/** @throws {OracleViolation} where there is none, or none is found in time */
export function judge<State, Input, Output>(
  history: ReadonlyArray<Operation<Input, Output>>,
  model: Model<State, Input, Output>,
): void {
  const verdict = checkLinearizable(history, model);
  if (verdict.verdict === 'violation') {
    throw new OracleViolation('linearizability', explainViolation(verdict, model).words);
  }
  if (verdict.verdict === 'unknown') {
    throw new OracleViolation('linearizability', `no verdict on ${verdict.key} in time`);
  }
}
