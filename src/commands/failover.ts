import { Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from './frame/admin-command.ts';
import { moveReport } from './frame/admin-views.ts';
import { shardArgument } from './frame/arguments.ts';
import { failWhereAborted, untilOver, waitFlag } from './frame/wait-for-moves.ts';

export default class Failover extends AdminCommand {
  static override summary = 'Switch the primary of a shard to one of its replicas, without loss.';
  static override examples = [
    '<%= config.bin %> failover 7',
    '<%= config.bin %> failover 7 --to n2 --wait',
  ];
  static override args = { shard: shardArgument({ description: 'Its number.', required: true }) };
  static override flags = {
    to: Flags.string({
      summary: 'The node that is to be primary; the replica that is furthest, where none is named.',
    }),
    wait: waitFlag,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Failover);
    const to = flags.to === undefined ? {} : { to: flags.to };
    const { moves } = await this.ask(flags, 'shard.failover', { shard: args.shard, ...to });
    const ended = flags.wait ? await untilOver(moves, () => this.#moves(flags)) : moves;
    await this.print(moveReport(ended));
    failWhereAborted(ended);
  }

  async #moves(flags: Readonly<Record<string, unknown>>) {
    return (await this.ask(flags, 'move.list', { all: true })).moves;
  }
}
