/** `CLUSTER`: which node serves what. A node that stands alone answers as a cluster of one. */
import { SLOT_COUNT, slotOfKey } from '../../cluster/index.ts';
import {
  writeArrayHeader,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import {
  infoFields,
  loneTopology,
  nodeLines,
  replicaLines,
  slotRanges,
  type Topology,
  type TopologyNode,
} from '../cluster/topology.ts';
import type { CommandSpec } from '../command.ts';
import { container, subcommandsWith } from './container.ts';
import { KeyCollector } from './keyspace.ts';

const group = 'cluster';
const LAST_SLOT = SLOT_COUNT - 1;

function topologyOf({ node, session }: Call): Topology {
  if (node.cluster !== undefined) return node.cluster.topology;
  // The address under which this client reached the node.
  const { host, port } = session.connection.local;
  return loneTopology(node.nodeId, host, port);
}

function slots(call: Call): void {
  const { out } = call;
  const { cluster } = call.node;
  const farewells = cluster?.farewells.next(cluster.nowUs) ?? [];
  const ranges = slotRanges(topologyOf(call), farewells);
  writeArrayHeader(out, ranges.length);
  for (const { first, last, nodes: all } of ranges) {
    writeArrayHeader(out, 2 + all.length);
    writeInteger(out, first);
    writeInteger(out, last);
    for (const { host, port, id } of all) {
      writeArrayHeader(out, 4);
      writeBulkText(out, host);
      writeInteger(out, port);
      writeBulkText(out, id);
      writeArrayHeader(out, 0);
    }
  }
}

function shards(call: Call): void {
  const { out, version, node } = call;
  const { map, nodes: known } = topologyOf(call);
  writeArrayHeader(out, map.shards.length);
  for (const { id, slotFirst, slotLast, primary, replicas: copies } of map.shards) {
    writeMapHeader(out, 2, version);
    writeBulkText(out, 'slots');
    writeArrayHeader(out, 2);
    writeInteger(out, slotFirst);
    writeInteger(out, slotLast);
    writeBulkText(out, 'nodes');
    const all = (primary === null ? copies : [primary, ...copies])
      .map((copy) => known.get(copy))
      .filter((copy) => copy !== undefined);
    writeArrayHeader(out, all.length);
    for (const copy of all) {
      const isOwn = copy.id === node.nodeId;
      const offset = isOwn ? (node.cluster?.states.progressOf(id).offset ?? 0) : 0;
      writeShardNode(call, copy, copy.id === primary, offset);
    }
  }
}

function writeShardNode(call: Call, node: TopologyNode, isPrimary: boolean, offset: number): void {
  const { out, version } = call;
  writeMapHeader(out, 7, version);
  for (const [field, value] of [
    ['id', node.id],
    ['port', node.port],
    ['ip', node.host],
    ['endpoint', node.host],
    ['role', isPrimary ? 'master' : 'replica'],
    ['replication-offset', offset],
    ['health', node.state === 'down' ? 'fail' : 'online'],
  ] as const) {
    writeBulkText(out, field);
    if (typeof value === 'number') writeInteger(out, value);
    else writeBulkText(out, value);
  }
}

function nodes(call: Call): void {
  writeVerbatim(call.out, 'txt', nodeLines(topologyOf(call)), call.version);
}

function info(call: Call): void {
  const fields = infoFields(topologyOf(call));
  const text = fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
  writeVerbatim(call.out, 'txt', text, call.version);
}

function links(call: Call): void {
  const { out, version } = call;
  const all = call.node.cluster?.replication.links() ?? [];
  writeArrayHeader(out, all.length);
  for (const { direction, node, sinceMs, bytesAllocated, bytesQueued } of all) {
    writeMapHeader(out, 6, version);
    for (const [field, value] of [
      ['direction', direction],
      ['node', node],
      ['create-time', sinceMs],
      ['events', bytesQueued > 0 ? 'rw' : 'r'],
      ['send-buffer-allocated', bytesAllocated],
      ['send-buffer-used', bytesQueued],
    ] as const) {
      writeBulkText(out, field);
      if (typeof value === 'number') writeInteger(out, value);
      else writeBulkText(out, value);
    }
  }
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
  const lines = replicaLines(topologyOf(call), call.text(2));
  if (lines === undefined) {
    call.fail(`ERR Unknown node ${call.quoted(2)}`);
    return;
  }
  writeArrayHeader(call.out, lines.length);
  for (const line of lines) writeBulkText(call.out, line);
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
    run: links,
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
