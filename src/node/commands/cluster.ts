/** `CLUSTER`: a node that stands alone answers as a cluster of one that owns all slots. */
import { SLOT_COUNT, slotOfKey } from '../../cluster/index.ts';
import {
  writeArrayHeader,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { container, subcommandsWith } from './container.ts';
import { KeyCollector } from './keyspace.ts';

const group = 'cluster';
const LAST_SLOT = SLOT_COUNT - 1;

/** The address under which this client reached the node. */
function host(call: Call): string {
  return call.session.connection.local.host;
}

function port(call: Call): number {
  return call.session.connection.local.port;
}

function slots(call: Call): void {
  const { out } = call;
  writeArrayHeader(out, 1);
  writeArrayHeader(out, 3);
  writeInteger(out, 0);
  writeInteger(out, LAST_SLOT);
  writeArrayHeader(out, 4);
  writeBulkText(out, host(call));
  writeInteger(out, port(call));
  writeBulkText(out, call.node.nodeId);
  writeArrayHeader(out, 0);
}

function shards(call: Call): void {
  const { out, version } = call;
  writeArrayHeader(out, 1);
  writeMapHeader(out, 2, version);
  writeBulkText(out, 'slots');
  writeArrayHeader(out, 2);
  writeInteger(out, 0);
  writeInteger(out, LAST_SLOT);
  writeBulkText(out, 'nodes');
  writeArrayHeader(out, 1);
  writeMapHeader(out, 7, version);
  for (const [field, value] of [
    ['id', call.node.nodeId],
    ['port', port(call)],
    ['ip', host(call)],
    ['endpoint', host(call)],
    ['role', 'master'],
    ['replication-offset', 0],
    ['health', 'online'],
  ] as const) {
    writeBulkText(out, field);
    if (typeof value === 'number') writeInteger(out, value);
    else writeBulkText(out, value);
  }
}

function nodes(call: Call): void {
  const at = `${host(call)}:${port(call)}@${port(call)}`;
  const line = `${call.node.nodeId} ${at} myself,master - 0 0 1 connected 0-${LAST_SLOT}\n`;
  writeVerbatim(call.out, 'txt', line, call.version);
}

function info(call: Call): void {
  const fields: ReadonlyArray<readonly [string, string | number]> = [
    ['cluster_state', 'ok'],
    ['cluster_slots_assigned', SLOT_COUNT],
    ['cluster_slots_ok', SLOT_COUNT],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', 0],
    ['cluster_known_nodes', 1],
    ['cluster_size', 1],
    ['cluster_current_epoch', 1],
    ['cluster_my_epoch', 1],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
  const text = fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
  writeVerbatim(call.out, 'txt', text, call.version);
}

function keySlot(call: Call): void {
  writeInteger(call.out, slotOfKey(call.bytes, call.starts[2], call.ends[2]));
}

function isSlot(slot: number): boolean {
  return slot >= 0 && slot <= LAST_SLOT;
}

function countKeysInSlot(call: Call): void {
  const slot = call.integer(2);
  if (Number.isNaN(slot)) return;
  if (!isSlot(slot)) {
    call.fail('ERR Invalid slot');
    return;
  }
  const collector = new KeyCollector(call, isInSlot(slot), { isCountOnly: true });
  call.node.longCommands.start(call, {
    step: () => collector.step(),
    reply: (out) => writeInteger(out, collector.count),
  });
}

function isInSlot(slot: number): (octets: Uint8Array, start: number, end: number) => boolean {
  return (octets, start, end) => slotOfKey(octets, start, end) === slot;
}

function getKeysInSlot(call: Call): void {
  const slot = call.integer(2);
  if (Number.isNaN(slot)) return;
  const countMax = call.integer(3);
  if (Number.isNaN(countMax)) return;
  if (!isSlot(slot) || countMax < 0) {
    call.fail('ERR Invalid slot or number of keys');
    return;
  }
  call.node.longCommands.start(call, new KeyCollector(call, isInSlot(slot), { countMax }));
}

function replicas(call: Call): void {
  if (call.text(2) === call.node.nodeId) writeArrayHeader(call.out, 0);
  else call.fail(`ERR Unknown node ${call.quoted(2)}`);
}

const sub = subcommandsWith({ flags: ['stale'], complexity: 'O(1)', group });

const varies = ['nondeterministic_output'];

const SUBCOMMANDS: readonly CommandSpec[] = [
  sub({
    name: 'slots',
    arity: 2,
    tips: varies,
    summary: 'Returns which node serves which slots.',
    syntax: '',
    since: '3.0.0',
    run: slots,
  }),
  sub({
    name: 'shards',
    arity: 2,
    tips: varies,
    summary: 'Returns the shards, their slots and nodes.',
    syntax: '',
    since: '7.0.0',
    run: shards,
  }),
  sub({
    name: 'nodes',
    arity: 2,
    tips: varies,
    summary: 'Returns a line for each node.',
    syntax: '',
    since: '3.0.0',
    run: nodes,
  }),
  sub({
    name: 'info',
    arity: 2,
    tips: varies,
    summary: 'Returns the state of the cluster.',
    syntax: '',
    since: '3.0.0',
    run: info,
  }),
  sub({
    name: 'myid',
    arity: 2,
    summary: 'Returns the id of this node.',
    syntax: '',
    since: '3.0.0',
    run: (call) => writeBulkText(call.out, call.node.nodeId),
  }),
  sub({
    name: 'myshardid',
    arity: 2,
    summary: 'Returns the id of the shard that this node is in.',
    syntax: '',
    since: '7.2.0',
    run: (call) => writeBulkText(call.out, call.node.nodeId),
  }),
  sub({
    name: 'keyslot',
    arity: 3,
    summary: 'Returns the slot of a key.',
    syntax: 'key',
    since: '3.0.0',
    run: keySlot,
  }),
  sub({
    name: 'countkeysinslot',
    arity: 3,
    summary: 'Counts the keys of a slot.',
    syntax: 'slot',
    since: '3.0.0',
    complexity: 'O(N) with N keys in the node, in steps that let other clients in',
    run: countKeysInSlot,
  }),
  sub({
    name: 'getkeysinslot',
    arity: 4,
    tips: varies,
    summary: 'Returns some keys of a slot.',
    syntax: 'slot count',
    since: '3.0.0',
    complexity: 'O(N) with N keys in the node, in steps that let other clients in',
    run: getKeysInSlot,
  }),
  sub({
    name: 'links',
    arity: 2,
    tips: varies,
    summary: 'Returns the links to other nodes; a node that stands alone has none.',
    syntax: '',
    since: '7.0.0',
    run: (call) => writeArrayHeader(call.out, 0),
  }),
  sub({
    name: 'replicas',
    arity: 3,
    flags: ['admin', 'stale'],
    tips: varies,
    summary: 'Returns the replicas of a node.',
    syntax: 'node-id',
    since: '5.0.0',
    run: replicas,
  }),
];

function mode(name: string, summary: string, readonlyMode: boolean | undefined): CommandSpec {
  return {
    name,
    arity: 1,
    flags: name === 'asking' ? ['fast'] : ['loading', 'stale', 'fast'],
    categories: ['connection'],
    group,
    summary,
    since: '3.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: (call) => {
      if (readonlyMode !== undefined) call.session.readonlyMode = readonlyMode;
      call.ok();
    },
  };
}

export const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  container(
    { name: 'cluster', group, summary: 'What concerns the cluster.', since: '3.0.0' },
    SUBCOMMANDS,
  ),
  mode('readonly', 'Allows this connection to read from replicas.', true),
  mode('readwrite', 'Ends READONLY.', false),
  mode('asking', 'Accepted for compatibility: slots are never half-migrated.', undefined),
];
