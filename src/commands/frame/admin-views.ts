/** How records of the cluster are shown to people: one report for each kind of thing. */
import type {
  ConfigChange,
  ConfigView,
  EventView,
  MoveView,
  NamespaceView,
  NodeView,
  PeerView,
  Plan,
  ReceiptView,
  RolloutView,
  ShardView,
  TenantView,
} from '../../meta/admin/index.ts';
import { formatSize } from '../../cluster/quantities.ts';
import type { Report } from './output.ts';

const right = 'right' as const;

/** About as much, in the largest unit that leaves a number of 1 or more. */
export function roughSize(bytes: number): string {
  const units = ['b', 'kb', 'mb', 'gb', 'tb'];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  const text = amount < 10 && unit > 0 ? amount.toFixed(1) : String(Math.round(amount));
  return `${text.replace(/\.0$/, '')}${units[unit]}`;
}

export function roughTime(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const;
  const [unit, unitMs] = units.find(([, ms]) => durationMs >= ms) ?? units[3];
  return `${Math.round(durationMs / unitMs)}${unit}`;
}

const when = (atMs: number) => new Date(atMs).toISOString().replace('T', ' ').slice(0, 19);
const limit = (bytes: number | undefined) => (bytes === undefined ? undefined : formatSize(bytes));

export function tenantReport(tenants: readonly TenantView[]): Report {
  return {
    kind: 'TenantList',
    data: tenants,
    view: {
      columns: [
        { title: 'name' },
        { title: 'policy' },
        { title: 'memory', align: right },
        { title: 'qps', align: right },
        { title: 'replicas', align: right },
        { title: 'ack' },
        { title: 'secret' },
        { title: 'connections', align: right, wide: true },
        { title: 'bandwidth', align: right, wide: true },
        { title: 'created', wide: true },
        { title: 'revision', align: right, wide: true },
      ],
      rows: tenants.map((tenant) => [
        tenant.name,
        tenant.policy,
        limit(tenant.maxMemoryBytes),
        tenant.maxQps,
        tenant.replicas,
        tenant.ack,
        tenant.hasSecret ? 'yes' : 'no',
        tenant.maxConnections,
        limit(tenant.maxBandwidthBytes),
        when(tenant.createdAtMs),
        tenant.revision,
      ]),
    },
    names: tenants.map(({ name }) => name),
  };
}

export function namespaceReport(namespaces: readonly NamespaceView[]): Report {
  return {
    kind: 'NamespaceList',
    data: namespaces,
    view: {
      columns: [
        { title: 'tenant' },
        { title: 'name' },
        { title: 'memory', align: right },
        { title: 'created', wide: true },
        { title: 'revision', align: right, wide: true },
      ],
      rows: namespaces.map(({ tenant, name, maxMemoryBytes, createdAtMs, revision }) => [
        ...[tenant, name, limit(maxMemoryBytes)],
        ...[when(createdAtMs), revision],
      ]),
    },
    names: namespaces.map(({ tenant, name }) => `${tenant}/${name}`),
  };
}

export function nodeReport(nodes: readonly NodeView[]): Report {
  return {
    kind: 'NodeList',
    data: nodes,
    view: {
      columns: [
        { title: 'name' },
        { title: 'state' },
        { title: 'address' },
        { title: 'zone' },
        { title: 'primaries', align: right },
        { title: 'replicas', align: right },
        { title: 'memory', align: right },
        { title: 'ops/s', align: right },
        { title: 'heard', align: right },
        { title: 'learners', align: right, wide: true },
        { title: 'weight', align: right, wide: true },
        { title: 'version', wide: true },
        { title: 'id', wide: true },
      ],
      rows: nodes.map((node) => [
        node.name,
        stateOf(node),
        `${node.host}:${node.port}`,
        node.zone,
        node.primaries,
        node.replicas,
        `${roughSize(node.usedBytes)}/${roughSize(node.memoryBytes)}`,
        node.opsPerSecond,
        node.heardAgoMs === null ? undefined : `${roughTime(node.heardAgoMs)} ago`,
        node.learners,
        node.weight,
        node.version,
        node.id,
      ]),
    },
    names: nodes.map(({ name }) => name),
  };
}

export function stateOf({ state, isAlive, isDraining }: NodeView): string {
  if (!isAlive || state === 'down') return isDraining ? 'down, draining' : 'down';
  return state;
}

export function shardReport(shards: readonly ShardView[]): Report {
  return {
    kind: 'ShardList',
    data: shards,
    view: {
      columns: [
        { title: 'shard', align: right },
        { title: 'slots' },
        { title: 'health' },
        { title: 'primary' },
        { title: 'replicas' },
        { title: 'keys', align: right },
        { title: 'bytes', align: right },
        { title: 'ops/s', align: right, wide: true },
        { title: 'learners', wide: true },
        { title: 'epoch', align: right, wide: true },
      ],
      rows: shards.map((shard) => {
        const named = (role: string) =>
          shard.copies
            .filter((copy) => copy.role === role)
            .map(({ name, isAlive }) => (isAlive ? name : `${name} (down)`))
            .join(',');
        return [
          ...[shard.id, `${shard.slotFirst}-${shard.slotLast}`, shard.health],
          ...[named('primary'), named('replica'), shard.items, roughSize(shard.bytes)],
          ...[shard.opsPerSecond, named('learner'), shard.epoch],
        ];
      }),
    },
    names: shards.map(({ id }) => String(id)),
  };
}

export function copiesReport(shard: ShardView, data: unknown): Report {
  return {
    kind: 'Shard',
    data,
    view: {
      columns: [
        { title: 'node' },
        { title: 'role' },
        { title: 'state' },
        { title: 'offset', align: right },
        { title: 'lag', align: right },
        { title: 'behind', align: right },
      ],
      rows: shard.copies.map(({ name, role, isAlive, isCaughtUp, offset, lagMs, lagBytes }) => [
        ...[name, role, isAlive ? (isCaughtUp ? 'caught up' : 'copying') : 'down'],
        offset ?? undefined,
        lagMs === null ? undefined : roughTime(lagMs),
        lagBytes === null ? undefined : roughSize(lagBytes),
      ]),
    },
    names: [String(shard.id)],
  };
}

/** Who leaves the shard by a move, or has led it until then. */
function giverOf({ fromName, oldPrimaryName }: Pick<MoveView, 'fromName' | 'oldPrimaryName'>) {
  return fromName ?? oldPrimaryName ?? undefined;
}

export function moveReport(moves: readonly MoveView[]): Report {
  return {
    kind: 'MoveList',
    data: moves,
    view: {
      columns: [
        { title: 'move', align: right },
        { title: 'shard', align: right },
        { title: 'reason' },
        { title: 'from' },
        { title: 'to' },
        { title: 'phase' },
        { title: 'copied', align: right },
        { title: 'lag', align: right },
        { title: 'eta', align: right },
        { title: 'throttle', align: right, wide: true },
        { title: 'error', wide: true },
      ],
      rows: moves.map((move) => [
        ...[move.id, move.shard, move.reason, giverOf(move), move.toName ?? undefined],
        move.isPaused ? `${move.phase}, paused` : move.phase,
        move.totalBytes === 0
          ? undefined
          : `${roughSize(move.copiedBytes)}/${roughSize(move.totalBytes)}`,
        move.lagBytes === 0 ? undefined : roughSize(move.lagBytes),
        move.etaMs === null ? undefined : roughTime(move.etaMs),
        move.throttleBytes === undefined ? undefined : `${roughSize(move.throttleBytes)}/s`,
        move.error,
      ]),
    },
    names: moves.map(({ id }) => String(id)),
  };
}

export function planReport(plan: Plan): Report {
  return {
    kind: 'RebalancePlan',
    data: plan,
    view:
      plan.moves.length === 0
        ? `Nothing is to be moved (epoch ${plan.plan}).`
        : {
            columns: [
              { title: 'shard', align: right },
              { title: 'reason' },
              { title: 'from' },
              { title: 'to' },
              { title: 'as' },
              { title: 'bytes', align: right },
              { title: 'pause', align: right },
            ],
            rows: plan.moves.map((move) => [
              ...[move.shard, move.reason, giverOf(move), move.toName ?? undefined],
              move.to === null ? undefined : move.toPrimary ? 'primary' : 'replica',
              roughSize(move.bytes),
              move.expectedPauseMs === 0 ? undefined : roughTime(move.expectedPauseMs),
            ]),
          },
    names: [String(plan.plan)],
  };
}

export function receiptReport(receipts: readonly ReceiptView[]): Report {
  return {
    kind: 'ReceiptList',
    data: receipts,
    view: {
      columns: [
        { title: 'epoch', align: right },
        { title: 'shard', align: right },
        { title: 'kind' },
        { title: 'from' },
        { title: 'to' },
        { title: 'when' },
        { title: 'writes at risk', align: right },
        { title: 'bytes', align: right },
        { title: 'time', align: right },
        { title: 'offset before', align: right, wide: true },
        { title: 'offset after', align: right, wide: true },
      ],
      rows: receipts.map((receipt) => [
        ...[receipt.epoch, receipt.shard, receipt.kind],
        ...[receipt.oldPrimaryName ?? undefined, receipt.newPrimaryName ?? undefined],
        ...[when(receipt.atMs), receipt.writesAtRisk],
        receipt.bytesAtRisk === 0 ? undefined : roughSize(receipt.bytesAtRisk),
        receipt.msAtRisk === 0 ? undefined : roughTime(receipt.msAtRisk),
        ...[receipt.offsetOld, receipt.offsetNew],
      ]),
    },
    names: receipts.map(({ epoch, shard }) => `${epoch}/${shard}`),
  };
}

export function peerReport(peers: readonly PeerView[]): Report {
  return {
    kind: 'MetaPeerList',
    data: peers,
    view: {
      columns: [
        { title: 'name' },
        { title: 'address' },
        { title: 'role' },
        { title: 'voter' },
        { title: 'state' },
        { title: 'behind', align: right },
        { title: 'heard', align: right },
      ],
      rows: peers.map(({ name, address, role, isVoter, isReachable, heardAgoMs, behind }) => [
        ...[name, address, role, isVoter ? 'yes' : 'no', isReachable ? 'up' : 'silent', behind],
        heardAgoMs === null ? undefined : `${roughTime(heardAgoMs)} ago`,
      ]),
    },
    names: peers.map(({ name }) => name),
  };
}

export function configReport(configs: readonly ConfigView[], kind = 'ConfigList'): Report {
  return {
    kind,
    data: configs,
    view: {
      columns: [
        { title: 'name' },
        { title: 'version', align: right },
        { title: 'settings' },
        { title: 'author' },
        { title: 'created' },
        { title: 'message' },
        { title: 'revision', align: right, wide: true },
      ],
      rows: configs.map(({ name, version, values, author, createdAtMs, message, revision }) => [
        ...[name, version, settingsInWords(values), author, when(createdAtMs), message, revision],
      ]),
    },
    names: configs.map(({ name }) => name),
  };
}

function settingsInWords(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

export function changesInWords(changes: readonly ConfigChange[]): string {
  if (changes.length === 0) return 'Nothing is changed.';
  return changes
    .map(({ setting, from, to }) => {
      if (to === null) return `- ${setting}: ${String(from)}`;
      return from === null
        ? `+ ${setting}: ${String(to)}`
        : `~ ${setting}: ${String(from)} → ${String(to)}`;
    })
    .join('\n');
}

export function rolloutReport(rollouts: readonly RolloutView[]): Report {
  return {
    kind: 'RolloutList',
    data: rollouts,
    view: {
      columns: [
        { title: 'document' },
        { title: 'version', align: right },
        { title: 'before', align: right },
        { title: 'phase' },
        { title: 'nodes', align: right },
        { title: 'since' },
        { title: 'error' },
        { title: 'revision', align: right, wide: true },
      ],
      rows: rollouts.map((rollout) => [
        ...[rollout.document, rollout.version, rollout.versionBefore],
        rollout.isPaused ? `${rollout.phase}, paused` : rollout.phase,
        rollout.nodes.length,
        ...[when(rollout.waveSinceMs), rollout.error, rollout.revision],
      ]),
    },
    names: rollouts.map(({ document }) => document),
  };
}

export function eventReport(events: readonly EventView[]): Report {
  return {
    kind: 'EventList',
    data: events,
    view: {
      columns: [
        { title: 'number', align: right },
        { title: 'when' },
        { title: 'who' },
        { title: 'operation' },
        { title: 'subject' },
        { title: 'revision', align: right },
        { title: 'words' },
      ],
      rows: events.map(({ number, atMs, who, operation, subject, revision, words }) => [
        ...[number, when(atMs), who, operation, subject, revision, words],
      ]),
    },
    names: events.map(({ number }) => String(number)),
  };
}
