import { Args, Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { confirmOrRefuse, yesFlag } from '../frame/confirm.ts';

export default class NodeRemove extends AdminCommand {
  static override summary = 'Forget a node that is stopped, and holds no shard.';
  static override description =
    'With --force also one that still holds shards, and is gone for good: its copies are given up. Shards that it was the primary of go to their replicas first; those that had no other copy are lost, are named, and begin empty elsewhere.';
  static override examples = [
    '<%= config.bin %> node remove n1 --yes',
    '<%= config.bin %> node remove n1 --force --yes',
  ];
  static override args = {
    node: Args.string({ description: 'Its name or id.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    force: Flags.boolean({ summary: 'Give its shards up.', default: false }),
    'if-revision': revisionFlag,
    yes: yesFlag,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeRemove);
    const { force } = flags;
    const question = force
      ? `Forget node '${args.node}', and all that no other node has a copy of?`
      : `Forget node '${args.node}'?`;
    await confirmOrRefuse(question, flags);
    const input = { node: args.node, force, ...guardOf(flags) };
    const done = await this.ask(flags, 'node.remove', input);
    const view = `Removed node '${done.name}'.`;
    await this.print({ kind: 'Deleted', data: done, view, names: [done.name] });
  }
}
