/** What the tests of this folder share: a group whose peers carry out the operations of the API. */
import type { RpcOutcome } from '../../rpc/index.ts';
import { MetaWorld } from '../test-support.ts';
import {
  adminCalls,
  type OperationInput,
  type OperationName,
  type OperationOutput,
} from './index.ts';

export class AdminWorld extends MetaWorld {
  constructor(seed = 1) {
    super({ seed, options: { makeCalls: adminCalls } });
    this.until('there is a cluster', () => this.leader.state.settings !== undefined);
  }

  /** Asks for all of it in one turn of the leader, and waits for the answers. */
  callAll(calls: ReadonlyArray<readonly [name: string, input: unknown]>): RpcOutcome[] {
    const outcomes: Array<RpcOutcome | undefined> = calls.map(() => undefined);
    const { leader } = this;
    for (const [at, [name, input]] of calls.entries()) {
      leader.call(name, input, 10_000, (outcome) => (outcomes[at] = outcome));
    }
    this.until('all are answered', () => outcomes.every((outcome) => outcome !== undefined));
    return outcomes.filter((outcome) => outcome !== undefined);
  }

  call<Name extends OperationName>(name: Name, input: OperationInput<Name>): OperationOutput<Name> {
    const [outcome] = this.callAll([[name, input]]);
    if (!outcome.ok) throw outcome.error;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one table
    return outcome.body as OperationOutput<Name>;
  }

  codeOf<Name extends OperationName>(name: Name, input: OperationInput<Name>): string {
    const [outcome] = this.callAll([[name, input]]);
    return outcome.ok ? 'ok' : outcome.error.code;
  }
}
