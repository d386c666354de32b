import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { nodeReport } from '../frame/admin-views.ts';

export default class NodeUndrain extends AdminCommand {
  static override summary = 'Let a node have shards again.';
  static override examples = ['<%= config.bin %> node undrain n1'];
  static override args = {
    node: Args.string({ description: 'Its name or id.', required: true, ignoreStdin: true }),
  };
  static override flags = { 'if-revision': revisionFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeUndrain);
    const input = { node: args.node, ...guardOf(flags) };
    const { node } = await this.ask(flags, 'node.undrain', input);
    await this.print({ ...nodeReport([node]), kind: 'Node', data: node });
  }
}
