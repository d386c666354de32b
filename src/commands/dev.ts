import { BaseCommand } from './frame/base-command.ts';
import { countFlag } from './frame/flags.ts';
import type { LocalPart } from './frame/local-part.ts';
import type { DevSession } from './frame/dev/session.ts';
import { LOCAL_NODES_MAX, LocalCluster } from './frame/local-cluster.ts';
import { nodeSettings } from './frame/node-settings.ts';
import type { Report } from './frame/output.ts';
import { flagsOf, readSettings } from './frame/settings.ts';
import { untilStopped } from './frame/until-stopped.ts';

const { memory, policy } = nodeSettings;
const settings = { memory, policy };

export default class Dev extends BaseCommand {
  static override summary = 'Run a whole cluster here to try things on; Ctrl-C stops it.';
  static override description =
    'Each meta peer and each node is a process of its own, so that you can kill one and see what ' +
    'the others do. Its data are in a temporary directory, which goes when it stops. On a terminal ' +
    'it shows what the cluster does, and has keys that kill a primary, cut a node off, freeze one, ' +
    'add one, and send sample traffic.';
  static override examples = [
    '<%= config.bin %> dev',
    '<%= config.bin %> dev --nodes 5 --replicas 2 --base-port 9000',
  ];
  static override flags = {
    nodes: countFlag({ min: 1, max: LOCAL_NODES_MAX })({ summary: 'Cache nodes.', default: 3 }),
    meta: countFlag({ min: 1, max: 7 })({ summary: 'Meta peers.', default: 3 }),
    replicas: countFlag({ min: 0, max: 8 })({
      summary: 'Copies of each shard, beside the primary.',
      default: 1,
    }),
    'base-port': countFlag({ min: 1, max: 55_000 })({
      summary: 'The first port: of nodes; meta peers from +100, their HTTP from +180.',
      default: 7400,
    }),
    ...flagsOf(settings),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dev);
    const values = readSettings(settings, { flags, environment: process.env, file: undefined });
    const { withProgress } = await import('./frame/progress.ts');
    const options = {
      basePort: flags['base-port'],
      metaPeers: flags.meta,
      nodes: flags.nodes,
      replicas: flags.replicas,
      nodeFlags: [
        ...(values.memory === undefined ? [] : ['--memory', String(values.memory)]),
        ...(values.policy === undefined ? [] : ['--policy', values.policy]),
      ],
    };
    let session: DevSession | undefined;
    const cluster = new LocalCluster(options, {
      onWords: ({ name }, words) => {
        const lines = words.trimEnd().replaceAll(/^/gm, `${name}: `);
        if (session === undefined) this.say(lines);
        else session.tell(lines);
      },
      onEnded: (part, how) => {
        if (session !== undefined) session.ended(part, how);
        else this.say(`${part.name} has ended (${how}). Start it again with:\n  ${part.command}`);
      },
    });
    const stopped = untilStopped();
    try {
      const started = withProgress('starting the cluster', async () => cluster.start());
      await Promise.race([started, stopped]);
      await this.print(endpointReport(cluster.endpoints));
      const live = isWatched();
      this.say(whatToTry(cluster.endpoints, cluster.metaAddresses, live));
      if (live) {
        const { DevSession: Session } = await import('./frame/dev/session.ts');
        session = new Session(cluster);
        await session.play(stopped);
        session = undefined;
      }
      await stopped;
    } finally {
      await cluster.stop();
    }
    this.say('Stopped.');
    this.exit(0);
  }
}

/** Somebody sits there, and both sees pictures and has keys to press. */
function isWatched(): boolean {
  const { stdin, stdout, stderr, env } = process;
  return stdin.isTTY && stdout.isTTY && stderr.isTTY && env['TERM'] !== 'dumb' && !env['CI'];
}

function endpointReport(parts: readonly LocalPart[]): Report {
  const endpoints = parts.map(({ plan: { name, role, address, http }, pid }) => ({
    ...{ name, role, address, http, pid },
  }));
  return {
    kind: 'EndpointList',
    data: endpoints,
    view: {
      columns: [
        { title: 'name' },
        { title: 'role' },
        { title: 'address' },
        { title: 'http' },
        { title: 'pid', align: 'right' },
      ],
      rows: endpoints.map(({ name, role, address, http, pid }) => [name, role, address, http, pid]),
    },
    names: endpoints.map(({ name }) => name),
  };
}

function whatToTry(parts: readonly LocalPart[], meta: string, live: boolean): string {
  const node = parts.find(({ plan }) => plan.role === 'node');
  const port = node?.plan.address.split(':')[1] ?? '';
  const http = parts.find(({ plan }) => plan.http !== undefined)?.plan.http ?? '';
  const isDefault = meta.startsWith('127.0.0.1:7500');
  const flag = isDefault ? '' : ` --meta ${meta}`;
  const kill = `\n  kill -9 ${node?.pid ?? ''}    # a node dies: see what status says`;
  return `
Try in another terminal:
  npx cachectl status${flag}
  npx cachectl tenant create shop --max-memory 64mb --max-qps 5000${flag}
  redis-cli -c -p ${port} set greeting hello
  curl http://${http}/openapi.json${live ? '' : `${kill}\n\nCtrl-C stops it.`}`;
}
