/** What the node tells of itself: INFO, TIME, SLOWLOG, LATENCY; and WAIT. */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeInteger,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { describeNode } from '../info.ts';
import { parseInteger } from '../numbers.ts';
import { container, subcommandsWith } from './container.ts';

const group = 'server';

function info(call: Call): void {
  const asked = Array.from({ length: call.count - 1 }, (_, index) => call.word(index + 1));
  writeVerbatim(call.out, 'txt', describeNode(call.node, call.domain, asked), call.version);
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

function wait(call: Call): void {
  const replicas = parseInteger(call.bytes, call.starts[1], call.ends[1]);
  const timeoutMs = parseInteger(call.bytes, call.starts[2], call.ends[2]);
  if (Number.isNaN(replicas)) {
    call.fail('ERR value is not an integer or out of range');
  } else if (Number.isNaN(timeoutMs)) {
    call.fail('ERR timeout is not an integer or out of range');
  } else if (timeoutMs < 0) {
    call.fail('ERR timeout is negative');
  } else {
    awaitReplicas(call, replicas, timeoutMs);
  }
}

/** A node that stands alone has no replica that could confirm: the answer comes with the timeout. */
function awaitReplicas(call: Call, count: number, timeoutMs: number): void {
  const { node, session } = call;
  let isHere = true;
  const answer = (replicas: number): void => {
    if (isHere) {
      writeInteger(call.out, replicas);
      return;
    }
    if (session.closed) return;
    session.respond((out) => writeInteger(out, replicas));
    session.wake();
  };
  let isAnswered = false;
  const once = (replicas: number): void => {
    if (!isAnswered) answer(replicas);
    isAnswered = true;
  };
  const { durability } = node.cluster ?? {};
  if (durability !== undefined) durability.wait(session.writes, count, timeoutMs, once);
  else if (count <= 0) once(0);
  else if (timeoutMs > 0) node.runtime.timers.after(timeoutMs, () => once(0));
  isHere = false;
  if (!isAnswered) session.suspend();
}

const admin = subcommandsWith({
  flags: ['admin', 'loading', 'stale'],
  since: '2.2.12',
  complexity: 'O(N) with N entries',
  group,
});

const allNodesSucceed = ['request_policy:all_nodes', 'response_policy:all_succeeded'];

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
];
