/** What the node tells of itself: INFO, TIME, SLOWLOG, LATENCY; and WAIT. */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { Command, CommandSpec } from '../command.ts';
import { describeNode } from '../info.ts';
import { parseInteger } from '../numbers.ts';
import { container, subcommandsWith } from './container.ts';

const group = 'server';

function info(call: Call): void {
  const asked = Array.from({ length: call.count - 1 }, (_, index) => call.word(index + 1));
  writeVerbatim(call.out, 'txt', describeNode(call.node, asked), call.version);
}

function time(call: Call): void {
  const nowUs = call.node.runtime.clock.wallUs();
  writeArrayHeader(call.out, 2);
  writeBulkText(call.out, `${Math.floor(nowUs / 1_000_000)}`);
  writeBulkText(call.out, `${nowUs % 1_000_000}`);
}

const SLOWLOG_COUNT = 10;

function slowlogGet(call: Call): void {
  if (call.count > 3) {
    call.failSubcommand();
    return;
  }
  const text = 'ERR count should be greater than or equal to -1';
  const count = call.count === 2 ? SLOWLOG_COUNT : call.integer(2, text);
  if (Number.isNaN(count)) return;
  if (count < -1) {
    call.fail(text);
    return;
  }
  const { entries } = call.node.slowLog;
  const shown = count === -1 ? entries : entries.slice(0, count);
  const { out } = call;
  writeArrayHeader(out, shown.length);
  for (const entry of shown) {
    writeArrayHeader(out, 6);
    writeInteger(out, entry.id);
    writeInteger(out, entry.atSeconds);
    writeInteger(out, entry.durationUs);
    writeArrayHeader(out, entry.arguments.length);
    for (const argument of entry.arguments) writeBulk(out, argument);
    writeBulkText(out, entry.address);
    writeBulkText(out, entry.clientName);
  }
}

function slowlogReset(call: Call): void {
  call.node.slowLog.entries = [];
  call.ok();
}

/** Nothing is monitored as a latency event: what a command takes is in the slow log. */
function latencyReset(call: Call): void {
  writeInteger(call.out, 0);
}

function latencyDoctor(call: Call): void {
  const text =
    'Latency events are not recorded by this node. Commands that take long are in SLOWLOG GET; ' +
    'the time that each command takes is in INFO commandstats.\n';
  writeVerbatim(call.out, 'txt', text, call.version);
}

/** Redis' histogram shape; each command has one bucket, the mean of its timed calls. */
function latencyHistogram(call: Call): void {
  const asked = new Set<string>();
  for (let i = 2; i < call.count; i++) asked.add(call.word(i));
  const timed = call.node.table
    .all()
    .filter((command) => command.timedCalls > 0 && (asked.size === 0 || isAsked(command, asked)));
  const { out, version } = call;
  writeMapHeader(out, timed.length, version);
  for (const command of timed) {
    writeBulkText(out, command.fullName);
    writeMapHeader(out, 2, version);
    writeBulkText(out, 'calls');
    writeInteger(out, command.calls);
    writeBulkText(out, 'histogram_usec');
    writeMapHeader(out, 1, version);
    const meanUs = Math.max(1, command.timedUs / command.timedCalls);
    writeInteger(out, 2 ** Math.ceil(Math.log2(meanUs)));
    writeInteger(out, command.calls);
  }
}

function isAsked(command: Command, asked: ReadonlySet<string>): boolean {
  return asked.has(command.fullName) || asked.has(command.fullName.split('|')[0]);
}

function wait(call: Call): void {
  const replicas = parseInteger(call.bytes, call.starts[1], call.ends[1]);
  const timeoutMs = parseInteger(call.bytes, call.starts[2], call.ends[2]);
  if (Number.isNaN(replicas)) {
    call.fail('ERR value is not an integer or out of range');
  } else if (Number.isNaN(timeoutMs)) {
    call.fail('ERR timeout is not an integer or out of range');
  } else if (timeoutMs < 0) {
    call.fail('ERR timeout is negative');
  } else if (replicas <= 0) {
    writeInteger(call.out, 0);
  } else {
    waitInVain(call, timeoutMs);
  }
}

/** There is no replica that could confirm: the answer comes with the timeout; 0 is none. */
function waitInVain(call: Call, timeoutMs: number): void {
  const { node, session } = call;
  session.suspend();
  if (timeoutMs === 0) return;
  node.runtime.timers.after(timeoutMs, () => {
    if (session.closed) return;
    session.respond((out) => writeInteger(out, 0));
    session.wake();
  });
}

const admin = subcommandsWith({
  flags: ['admin', 'loading', 'stale'],
  since: '2.2.12',
  complexity: 'O(N) with N entries',
  group,
});

const latencyFlags: CommandSpec['flags'] = ['admin', 'noscript', 'loading', 'stale'];
const allNodesSucceed = ['request_policy:all_nodes', 'response_policy:all_succeeded'];
const allNodesDiffer = [
  'nondeterministic_output',
  'request_policy:all_nodes',
  'response_policy:special',
];

const SLOWLOG: readonly CommandSpec[] = [
  admin({
    name: 'get',
    arity: -2,
    tips: ['request_policy:all_nodes', 'nondeterministic_output'],
    summary: 'Returns the latest slow commands; 10 where no count is given, all for -1.',
    syntax: '[count]',
    run: slowlogGet,
  }),
  admin({
    name: 'len',
    arity: 2,
    tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
    summary: 'Returns the length of the slow log.',
    syntax: '',
    run: (call) => writeInteger(call.out, call.node.slowLog.entries.length),
  }),
  admin({
    name: 'reset',
    arity: 2,
    tips: allNodesSucceed,
    summary: 'Empties the slow log.',
    syntax: '',
    run: slowlogReset,
  }),
];

const LATENCY: readonly CommandSpec[] = [
  admin({
    name: 'latest',
    arity: 2,
    flags: latencyFlags,
    tips: allNodesDiffer,
    summary: 'Returns no events: none are recorded.',
    syntax: '',
    run: (call) => writeArrayHeader(call.out, 0),
  }),
  admin({
    name: 'history',
    arity: 3,
    flags: latencyFlags,
    tips: allNodesDiffer,
    summary: 'Returns no events: none are recorded.',
    syntax: 'event',
    run: (call) => writeArrayHeader(call.out, 0),
  }),
  admin({
    name: 'reset',
    arity: -2,
    flags: latencyFlags,
    tips: allNodesSucceed,
    summary: 'Forgets events: there are none.',
    syntax: '[event [event ...]]',
    run: latencyReset,
  }),
  admin({
    name: 'doctor',
    arity: 2,
    flags: latencyFlags,
    tips: allNodesDiffer,
    summary: 'Says where to look for what takes long.',
    syntax: '',
    run: latencyDoctor,
  }),
  admin({
    name: 'histogram',
    arity: -2,
    flags: latencyFlags,
    tips: allNodesDiffer,
    summary: 'Returns what commands take.',
    syntax: '[command [command ...]]',
    run: latencyHistogram,
  }),
];

export const SERVER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'info',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['dangerous'],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    group,
    summary: 'Describes the node, by section.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '[section [section ...]]',
    run: info,
  },
  {
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    tips: ['nondeterministic_output'],
    group,
    summary: 'Returns the time of the node.',
    since: '2.6.0',
    complexity: 'O(1)',
    syntax: '',
    run: time,
  },
  {
    name: 'wait',
    arity: 3,
    flags: ['noscript'],
    categories: ['connection'],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    group: 'generic',
    summary: 'Waits until replicas have what this connection wrote; answers how many do.',
    since: '3.0.0',
    complexity: 'O(1)',
    syntax: 'numreplicas timeout',
    run: wait,
  },
  container(
    {
      name: 'slowlog',
      group,
      summary: 'What concerns commands that took long.',
      since: '2.2.12',
    },
    SLOWLOG,
  ),
  container(
    {
      name: 'latency',
      group,
      summary: 'What concerns the time that commands take.',
      since: '2.8.13',
    },
    LATENCY,
  ),
];
