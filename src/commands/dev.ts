import { BaseCommand } from './frame/base-command.ts';
import { countFlag } from './frame/flags.ts';
import { address, size } from './frame/kinds.ts';
import { nodeOptionsOf, nodeSettings } from './frame/node-settings.ts';
import { flagsOf, readSettings } from './frame/settings.ts';
import { untilStopped } from './frame/until-stopped.ts';

const { memory, policy } = nodeSettings;
const settings = { memory, policy };

export default class Dev extends BaseCommand {
  static override summary = 'Run a cache here to try things on; Ctrl-C stops it.';
  static override description = 'Keeps nothing on disk: what is stored goes when it stops.';
  static override examples = [
    '<%= config.bin %> dev',
    '<%= config.bin %> dev --memory 64mb --policy lru --base-port 9000',
  ];
  static override flags = {
    'base-port': countFlag({ min: 1, max: 65_000 })({
      summary: 'The first port.',
      default: 7400,
    }),
    ...flagsOf(settings),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dev);
    const values = readSettings(settings, { flags, environment: process.env, file: undefined });
    const { runNode } = await import('./frame/running-node.ts');
    const listen = { host: '127.0.0.1', port: flags['base-port'] };
    const options = nodeOptionsOf({ ...values, listen, name: 'n1' });
    const { node, stop } = await runNode(options, { level: 'warn' });
    const { port } = node.address;
    const at = address.format(node.address);
    const isDefault = at === address.format(nodeSettings.listen.default);
    await this.print({
      kind: 'EndpointList',
      data: [{ name: 'n1', role: 'node', address: node.address }],
      view: {
        columns: [
          { title: 'name' },
          { title: 'role' },
          { title: 'address' },
          { title: 'memory', align: 'right' },
          { title: 'policy' },
        ],
        rows: [['n1', 'node', at, size().format(node.settings.memoryBytes), node.settings.policy]],
      },
      names: ['n1'],
    });
    this.say(`
Try in another terminal:
  redis-cli -p ${port} set greeting hello
  npx cachectl kv get greeting${isDefault ? '' : ` --address ${at}`}
  npx cachectl bench --duration 5s${isDefault ? '' : ` --address ${at}`}

Ctrl-C stops it.`);
    await untilStopped();
    await stop();
    this.say('Stopped.');
    this.exit(0);
  }
}
