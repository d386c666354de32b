/** What keys and clients take of the memory. */
import {
  writeBulkText,
  writeDouble,
  writeInteger,
  writeMapHeader,
  writeSimpleString,
  writeVerbatim,
} from '../../resp/index.ts';
import { TURN_BYTES, type MemoryReport } from '../../engine/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { container } from './container.ts';

const group = 'server';

/** What a key costs in the index. */
const INDEX_BYTES = 4;
/** Above this, reserved memory is worth a word; small stores are all fragmentation. */
const FRAGMENTATION_HIGH = 1.4;
const FRAGMENTATION_BYTES_MIN = 16 * 1024 * 1024;
const FULL_SHARE = 0.9;

function usage(call: Call): void {
  for (let i = 3; i < call.count; i += 2) {
    if (!call.is(i, 'samples') || i + 1 === call.count) {
      call.fail(ERRORS.syntax);
      return;
    }
    const samples = call.integer(i + 1);
    if (Number.isNaN(samples)) return;
    if (samples < 0) {
      call.fail(ERRORS.syntax);
      return;
    }
  }
  const ref = call.find(2);
  if (ref === 0) call.null();
  else writeInteger(call.out, call.engine.arena.recordBytes(ref) + INDEX_BYTES);
}

function stats(call: Call): void {
  const report = call.engine.report();
  const { items } = call.domain;
  const peak = Math.max(call.node.stats.memoryPeakBytes, report.usedBytes);
  const integers: Array<[string, number]> = [
    ['peak.allocated', peak],
    ['total.allocated', report.usedBytes],
    ['startup.allocated', 0],
    ['overhead.total', report.usedBytes - report.payloadBytes],
    ['keys.count', items],
    ['keys.bytes-per-key', items === 0 ? 0 : Math.round(report.usedBytes / items)],
    ['dataset.bytes', report.payloadBytes],
    ['index.bytes', report.indexBytes],
    ['policy.bytes', report.policyBytes],
    ['records.live.bytes', report.liveBytes],
    ['limit.bytes', report.limitBytes],
  ];
  const doubles: Array<[string, number]> = [
    ['dataset.percentage', percentage(report.payloadBytes, report.usedBytes)],
    ['peak.percentage', percentage(report.usedBytes, peak)],
    ['fragmentation', report.fragmentation],
  ];
  writeMapHeader(call.out, integers.length + doubles.length, call.version);
  for (const [name, value] of integers) {
    writeBulkText(call.out, name);
    writeInteger(call.out, value);
  }
  for (const [name, value] of doubles) {
    writeBulkText(call.out, name);
    writeDouble(call.out, value, call.version);
  }
}

function percentage(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}

function doctor(call: Call): void {
  writeVerbatim(call.out, 'txt', diagnosis(call.engine.report(), call), call.version);
}

function diagnosis(report: MemoryReport, call: Call): string {
  const words: string[] = [];
  if (
    report.fragmentation > FRAGMENTATION_HIGH &&
    report.usedBytes - report.liveBytes > FRAGMENTATION_BYTES_MIN
  ) {
    words.push(
      `Fragmentation is ${report.fragmentation.toFixed(2)}: much was removed of late. The cleaner ` +
        'gives memory back while the node is idle.',
    );
  }
  if (report.usedBytes > report.limitBytes * FULL_SHARE) {
    const { policyName, evicted } = call.domain;
    words.push(
      policyName === 'noeviction'
        ? 'Memory is nearly full and the policy is noeviction: writes are about to be refused.'
        : `Memory is full, so the policy '${policyName}' evicts; ${evicted} keys so far.`,
    );
  }
  return words.length === 0 ? 'Nothing is wrong with the memory.' : words.join('\n');
}

const PURGE_TURNS_MAX = 256;

/** Does what housekeeping would do in the next second, or all that there is. */
function purge(call: Call): void {
  const { engine } = call;
  let turns = 0;
  call.node.longCommands.start(call, {
    step: () => engine.maintain(TURN_BYTES) === 'done' || ++turns >= PURGE_TURNS_MAX,
    reply: (out) => writeSimpleString(out, 'OK'),
  });
}

const SUBCOMMANDS: readonly CommandSpec[] = [
  {
    name: 'usage',
    arity: -3,
    flags: ['readonly'],
    keys: [{ first: 2, last: 2, step: 1, access: 'RO' }],
    group,
    summary: 'Returns the bytes of memory that a key takes, value and index included.',
    since: '4.0.0',
    complexity: 'O(1)',
    syntax: 'key [SAMPLES count]',
    run: usage,
  },
  {
    name: 'stats',
    arity: 2,
    flags: [],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    group,
    summary: 'Returns what memory is used for, in bytes.',
    since: '4.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: stats,
  },
  {
    name: 'doctor',
    arity: 2,
    flags: [],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    group,
    summary: 'Tells what is wrong with the memory, if anything.',
    since: '4.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: doctor,
  },
  {
    name: 'purge',
    arity: 2,
    flags: [],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    group,
    summary: 'Cleans memory of removed keys, a bounded part of it.',
    since: '4.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: purge,
  },
];

export const MEMORY_COMMANDS: readonly CommandSpec[] = [
  container(
    { name: 'memory', group, summary: 'Tells what memory is used for.', since: '4.0.0' },
    SUBCOMMANDS,
  ),
];
