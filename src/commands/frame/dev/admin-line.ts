/** The admin API as something that watches asks it: over and over, and never for long. */
import { CachectlError } from '../../../cluster/errors.ts';
import type { OperationInput, OperationName, OperationOutput } from '../../../meta/admin/index.ts';
import { RpcClient, type RpcOutcome } from '../../../rpc/index.ts';
import type { Address } from '../../../runtime/index.ts';
import { clock, timers } from '../../../runtime/node/clock.ts';
import { network } from '../../../runtime/node/network.ts';
import { random } from '../../../runtime/node/random.ts';

const CONNECT_MS = 1000;
const READ_MS = 2000;
const WRITE_MS = 5000;
/** The most that one failover is told by. */
const RECEIPTS = 256;
const EVENTS = 50;

export interface Sight {
  readonly status: OperationOutput<'cluster.status'>;
  readonly shards: OperationOutput<'shard.list'>['shards'];
  readonly moves: OperationOutput<'move.list'>['moves'];
  /** The newest first, as the events. */
  readonly receipts: OperationOutput<'receipt.list'>['receipts'];
  readonly events: OperationOutput<'event.list'>['events'];
}

export class AdminLine {
  readonly #client: RpcClient;

  constructor(addresses: readonly Address[]) {
    const runtime = { clock, timers, network, random };
    this.#client = new RpcClient(runtime, { addresses, connectTimeoutMs: CONNECT_MS });
  }

  /** @throws {CachectlError} */
  async look(): Promise<Sight> {
    const [status, shards, moves, receipts, events] = await Promise.all([
      this.#ask('cluster.status', {}, READ_MS),
      this.#ask('shard.list', {}, READ_MS),
      this.#ask('move.list', {}, READ_MS),
      this.#ask('receipt.list', { limit: RECEIPTS }, READ_MS),
      this.#ask('event.list', { limit: EVENTS }, READ_MS),
    ]);
    return {
      status,
      shards: shards.shards,
      moves: moves.moves,
      receipts: receipts.receipts,
      events: events.events,
    };
  }

  /**
   * @returns how many moves were begun
   * @throws {CachectlError} `ERR_CACHECTL_CONFLICT` where the cluster has changed meanwhile
   */
  async rebalance(): Promise<number> {
    const { plan, moves } = await this.#ask('rebalance.plan', {}, WRITE_MS);
    if (moves.length === 0) return 0;
    const begun = await this.#ask('rebalance.apply', { plan, actor: 'dev' }, WRITE_MS);
    return begun.moves.length;
  }

  close(): void {
    this.#client.close();
  }

  async #ask<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    timeoutMs: number,
  ): Promise<OperationOutput<Name>> {
    const outcome = await new Promise<RpcOutcome>((resolve) => {
      this.#client.call(name, input, timeoutMs, resolve);
    });
    if (!outcome.ok) throw outcome.error;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one table
    return outcome.body as OperationOutput<Name>;
  }
}

/** In words that fit on one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof CachectlError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
