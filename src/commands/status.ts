import { styleText } from 'node:util';
import { EXIT } from '../cluster/errors.ts';
import type { ClusterStatus } from '../meta/admin/index.ts';
import { AdminCommand, adminFlags } from './frame/admin-command.ts';
import { nodeReport, roughSize } from './frame/admin-views.ts';
import { table } from './frame/output.ts';

const COLOURS = { healthy: 'green', degraded: 'yellow', down: 'red' } as const;

export default class Status extends AdminCommand {
  static override summary = 'Show how the cluster is.';
  static override description =
    'Exits with 5 where something is not as it should be, and says what: so scripts can wait for a cluster that is well.';
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --meta 10.0.0.1:7500,10.0.0.2:7500',
    '<%= config.bin %> status --json',
  ];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const status = await this.ask(flags, 'cluster.status', {});
    await this.print({
      kind: 'ClusterStatus',
      data: status,
      view: statusInWords(status, flags.output === 'wide'),
      names: [status.clusterId],
    });
    if (status.health !== 'healthy') this.exit(EXIT.unhealthy);
  }
}

function statusInWords(status: ClusterStatus, wide: boolean): string {
  const { shards, memory, moves, peers } = status;
  const colour = COLOURS[status.health];
  const health = styleText(colour, status.health, { stream: process.stdout });
  const reachable = peers.filter(({ isReachable }) => isReachable).length;
  const alive = status.nodes.filter(({ isAlive }) => isAlive).length;
  const used = `${roughSize(memory.usedBytes)} of ${roughSize(memory.capacityBytes)}`;
  const lines = [
    `cluster ${status.clusterId}: ${health}`,
    ...status.problems.map((problem) => `  ! ${problem}`),
    '',
    `meta     ${reachable} of ${peers.length} peers, ${status.leader ?? 'nobody'} leads, revision ${status.revision}`,
    `nodes    ${alive} of ${status.nodes.length} up, ${used} in use, ${status.opsPerSecond} ops/s`,
    `shards   ${shards.healthy} of ${shards.total} healthy, ${shards.degraded} degraded, ${shards.down} down, epoch ${status.epoch}`,
    `tenants  ${status.tenants}, with ${status.namespaces} namespaces`,
    `moves    ${moves.active} under way, ${moves.paused} paused; ${status.rollouts} rollouts`,
  ];
  if (status.nodes.length === 0) return lines.join('\n');
  const { view } = nodeReport(status.nodes);
  const nodes = typeof view === 'string' ? view : table(view.columns, view.rows, wide).trimEnd();
  return `${lines.join('\n')}\n\n${nodes}`;
}
