import { Flags } from '@oclif/core';
import { BaseCommand } from '../frame/base-command.ts';
import { address } from '../frame/kinds.ts';
import { nodeOptionsOf, nodeSettings } from '../frame/node-settings.ts';
import { flagsOf, readSettings } from '../frame/settings.ts';
import { untilStopped } from '../frame/until-stopped.ts';

export default class NodeStart extends BaseCommand {
  static override summary = 'Start a cache node, alone or in a cluster.';
  static override description =
    'Serves until SIGINT or SIGTERM, then sends what is under way and stops; a second signal ' +
    'ends it at once. Each setting can be given as a flag, as an environment variable, or by ' +
    'the name of its flag in the YAML file that --config names: the first of these wins.';
  static override examples = [
    '<%= config.bin %> node start',
    '<%= config.bin %> node start --listen 0.0.0.0:7400 --memory 4gb --policy lfu',
    '<%= config.bin %> node start --meta 10.0.0.1:7500,10.0.0.2:7500 --name n1 --zone a',
    'CACHECTL_SECRET=… <%= config.bin %> node start --config /etc/cachectl/node.yaml',
  ];
  static override flags = {
    config: Flags.string({ summary: 'A YAML file of settings, such as `memory: 64mb`.' }),
    ...flagsOf(nodeSettings),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(NodeStart);
    const file = flags.config;
    const values = readSettings(nodeSettings, { flags, environment: process.env, file });
    const { runNode } = await import('../frame/running-node.ts');
    const { networkOfPart } = await import('../frame/partition.ts');
    const options = nodeOptionsOf(values, this.config.version);
    const log = {
      level: values['log-level'] ?? nodeSettings['log-level'].default,
      ...(values['log-format'] === undefined ? {} : { format: values['log-format'] }),
    };
    const { node, stop } = await runNode(options, log, networkOfPart(options.listen));
    const at = address.format(node.address);
    process.stdout.write(`node ${options.name ?? at} serves ${at}\n`);
    await untilStopped();
    node.runtime.log.write('info', 'stopping', { clients: node.sessions.size });
    await stop();
    node.runtime.log.write('info', 'stopped');
    this.exit(0);
  }
}
