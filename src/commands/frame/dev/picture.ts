/** What is to be seen of the cluster, as lines of a terminal. */
import { styleText } from 'node:util';
import type { MoveView, NodeView } from '../../../meta/admin/index.ts';
import { roughSize, roughTime, stateOf } from '../admin-views.ts';
import type { LocalPart } from '../local-part.ts';
import { table } from '../output.ts';
import type { Sight } from './admin-line.ts';
import type { TrafficRates } from './sample-traffic.ts';
import type { StoryLine } from './story.ts';

export interface Scene {
  readonly metas: readonly LocalPart[];
  readonly nodes: readonly LocalPart[];
  /** Undefined until something was seen. */
  readonly sight: Sight | undefined;
  /** Why there is no newer one. */
  readonly trouble: string | undefined;
  readonly traffic: TrafficRates | undefined;
  readonly story: readonly StoryLine[];
}

const MOVES_SHOWN = 4;
const BAR_WIDTH = 20;
const COLOURS = { healthy: 'green', degraded: 'yellow', down: 'red' } as const;

const paint = (colour: Parameters<typeof styleText>[0], text: string) =>
  styleText(colour, text, { stream: process.stdout });

/** @param rows as many lines at most, where the story is cut to what the rest leaves */
export function picture(scene: Scene, rows: number): string[] {
  const { sight, trouble, story } = scene;
  const cluster = [
    '',
    ...(trouble === undefined ? [] : [paint('red', `! ${trouble}`)]),
    ...(sight === undefined ? ['waiting for the cluster'] : clusterLines(sight)),
    metaLine(scene.metas, sight),
    trafficLine(scene.traffic),
    '',
    ...nodeLines(scene.nodes, sight),
    '',
    ...(sight === undefined ? [] : moveLines(sight.moves)),
  ];
  const end = ['', keysLine()];
  const room = Math.max(1, rows - cluster.length - end.length);
  const happened = story
    .slice(-room)
    .map(({ atMs, words }) => `${paint('dim', clockTime(atMs))}  ${words}`);
  return [...cluster, ...happened, ...end];
}

function clusterLines({ status, moves }: Sight): string[] {
  const { health, shards, epoch } = status;
  const part = (colour: 'green' | 'yellow' | 'red', count: number, word: string) =>
    count === 0 ? `0 ${word}` : paint(colour, `${count} ${word}`);
  const counts = [
    part('green', shards.healthy, 'healthy'),
    part('yellow', shards.degraded, 'degraded'),
    part('red', shards.down, 'down'),
  ];
  return [
    `cluster  ${paint(COLOURS[health], health)}, epoch ${epoch}, ${status.opsPerSecond} ops/s`,
    `shards   ${shards.total}: ${counts.join(', ')}; ${moves.length} moves under way`,
  ];
}

function metaLine(metas: readonly LocalPart[], sight: Sight | undefined): string {
  const leader = sight?.status.leader;
  const words = metas.map(({ name, state }) => {
    if (name === leader) return `${name} leads`;
    return state === 'running' ? name : paint('red', `${name} ${state}`);
  });
  return `meta     ${words.join(', ')}`;
}

function trafficLine(rates: TrafficRates | undefined): string {
  if (rates === undefined) return 'traffic  none';
  const { opsPerSecond, failuresPerSecond, writesWaiting } = rates;
  const failed = `${failuresPerSecond}/s failed`;
  const waiting = writesWaiting === 0 ? '' : `, ${writesWaiting} writes are tried again`;
  const bad = failuresPerSecond === 0 ? failed : paint('red', failed + waiting);
  return `traffic  ${opsPerSecond}/s done, ${bad}`;
}

function nodeLines(parts: readonly LocalPart[], sight: Sight | undefined): string[] {
  const seen = new Map(sight?.status.nodes.map((node) => [node.name, node]));
  const rows = parts.map((part) => {
    const node = seen.get(part.name);
    const state = nodeState(part, node);
    const port = part.plan.address.split(':')[1];
    if (node === undefined) return [part.name, state, port];
    const known = [part.name, state, port, node.primaries, node.replicas];
    // What it said last says nothing of now.
    if (!node.isAlive) return [...known, '', '', '', part.pid === 0 ? '' : part.pid];
    const lagMs = sight === undefined ? undefined : lagOf(part.name, sight);
    return [
      ...known,
      `${roughSize(node.usedBytes)}/${roughSize(node.memoryBytes)}`,
      node.opsPerSecond,
      lagMs === undefined ? undefined : roughTime(lagMs),
      part.pid === 0 ? undefined : part.pid,
    ];
  });
  const columns = [
    { title: 'node' },
    { title: 'state' },
    ...['port', 'primaries', 'replicas', 'memory', 'ops/s', 'lag', 'pid'].map((title) => ({
      title,
      align: 'right' as const,
    })),
  ];
  return table(columns, rows, false).trimEnd().split('\n');
}

/** What the cluster takes it for, and what was done to it here. */
function nodeState(part: LocalPart, node: NodeView | undefined): string {
  const seen = node === undefined ? 'unknown' : stateOf(node);
  const colour = seen === 'up' ? 'green' : seen.startsWith('down') ? 'red' : 'yellow';
  if (part.state === 'running') return paint(colour, seen);
  return `${paint(colour, seen)}, ${paint('yellow', part.state)}`;
}

/** Of the node's copies that follow another's primary: the one that is furthest behind. */
function lagOf(name: string, { shards }: Sight): number | undefined {
  let lagMs: number | undefined;
  for (const { copies } of shards) {
    for (const copy of copies) {
      if (copy.name !== name || copy.role === 'primary' || copy.lagMs === null) continue;
      lagMs = Math.max(lagMs ?? 0, copy.lagMs);
    }
  }
  return lagMs;
}

function moveLines(moves: readonly MoveView[]): string[] {
  if (moves.length === 0) return [];
  const begun = moves.toSorted((one, other) => other.copiedBytes - one.copiedBytes);
  const lines = begun.slice(0, MOVES_SHOWN).map((move) => {
    const { shard, fromName, toName, phase, copiedBytes, totalBytes, etaMs } = move;
    const part = totalBytes === 0 ? 0 : Math.min(1, copiedBytes / totalBytes);
    const full = Math.round(part * BAR_WIDTH);
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
    const eta = etaMs === null ? '' : `, ${roughTime(etaMs)} to go`;
    const way = `${fromName ?? '-'} → ${toName ?? '-'}`;
    const amount = totalBytes === 0 ? '' : ` ${roughSize(copiedBytes)} of ${roughSize(totalBytes)}`;
    return `move     shard ${String(shard).padStart(2)}  ${way}  ${bar} ${phase}${amount}${eta}`;
  });
  const more = moves.length - lines.length;
  return [...lines, ...(more > 0 ? [`         and ${more} more`] : []), ''];
}

const clockTime = (atMs: number) => new Date(atMs).toTimeString().slice(0, 8);

function keysLine(): string {
  const keys = [
    ['k', 'kill'],
    ['p', 'partition'],
    ['f', 'freeze'],
    ['a', 'add a node'],
    ['r', 'restart'],
    ['t', 'traffic'],
    ['q', 'quit'],
  ];
  return keys.map(([key, words]) => `${paint('bold', key)} ${words}`).join('  ');
}
