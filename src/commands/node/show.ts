import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { roughSize, shardReport, stateOf } from '../frame/admin-views.ts';

export default class NodeShow extends AdminCommand {
  static override summary = 'Show a node, and the shards on it.';
  static override examples = ['<%= config.bin %> node show n1'];
  static override args = {
    node: Args.string({ description: 'Its name or id.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeShow);
    const shown = await this.ask(flags, 'node.show', { node: args.node });
    const { node, shards } = shown;
    this.say(
      `${node.name} (${stateOf(node)}) at ${node.host}:${node.port}, zone ${node.zone}: ` +
        `${node.primaries} primaries, ${node.replicas} replicas, ` +
        `${roughSize(node.usedBytes)} of ${roughSize(node.memoryBytes)} in use`,
    );
    await this.print({ ...shardReport(shards), kind: 'Node', data: shown, names: [node.name] });
  }
}
