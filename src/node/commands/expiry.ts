/** When keys go by themselves. */
import { REPLIES, writeEncoded, writeInteger } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { anyDeadlineFrom, replyTime, type DeadlineUnit } from '../expiry.ts';

const group = 'generic';

interface Condition {
  ifNone: boolean;
  ifAny: boolean;
  ifLater: boolean;
  ifEarlier: boolean;
}

function expire(call: Call, unit: DeadlineUnit): void {
  const condition = parseCondition(call);
  if (condition === undefined) return;
  const deadlineMs = anyDeadlineFrom(call, 2, unit);
  if (Number.isNaN(deadlineMs)) return;
  const ref = call.find(1);
  if (ref === 0 || !isMet(condition, call.engine.arena.deadline(ref), deadlineMs)) {
    writeEncoded(call.out, REPLIES.zero);
    return;
  }
  if (deadlineMs <= call.nowMs) {
    call.remove(1, ref);
  } else {
    call.engine.setDeadline(call.domain, ref, deadlineMs);
    call.changed(1, ref);
  }
  writeEncoded(call.out, REPLIES.one);
}

function parseCondition(call: Call): Condition | undefined {
  const condition = { ifNone: false, ifAny: false, ifLater: false, ifEarlier: false };
  for (let i = 3; i < call.count; i++) {
    if (call.is(i, 'nx')) condition.ifNone = true;
    else if (call.is(i, 'xx')) condition.ifAny = true;
    else if (call.is(i, 'gt')) condition.ifLater = true;
    else if (call.is(i, 'lt')) condition.ifEarlier = true;
    else {
      call.fail(`ERR Unsupported option ${call.quoted(i)}`);
      return undefined;
    }
  }
  const { ifNone, ifAny, ifLater, ifEarlier } = condition;
  if (ifNone && (ifAny || ifLater || ifEarlier)) {
    call.fail('ERR NX and XX, GT or LT options at the same time are not compatible');
    return undefined;
  }
  if (ifLater && ifEarlier) {
    call.fail('ERR GT and LT options at the same time are not compatible');
    return undefined;
  }
  return condition;
}

/** `current` is 0 where there is no deadline, which counts as later than any. */
function isMet(condition: Condition, current: number, wanted: number): boolean {
  if (condition.ifNone && current !== 0) return false;
  if (condition.ifAny && current === 0) return false;
  if (condition.ifLater && (current === 0 || wanted <= current)) return false;
  return !(condition.ifEarlier && current !== 0 && wanted >= current);
}

function persist(call: Call): void {
  const ref = call.find(1);
  if (ref === 0 || call.engine.arena.deadline(ref) === 0) {
    writeEncoded(call.out, REPLIES.zero);
    return;
  }
  call.engine.setDeadline(call.domain, ref, 0);
  call.changed(1, ref);
  writeEncoded(call.out, REPLIES.one);
}

function ttl(call: Call, isAbsolute: boolean, inSeconds: boolean): void {
  const ref = call.peek(1);
  const deadlineMs = ref === 0 ? 0 : call.engine.arena.deadline(ref);
  if (deadlineMs === 0) {
    writeInteger(call.out, ref === 0 ? -2 : -1);
    return;
  }
  const milliseconds = isAbsolute ? deadlineMs : deadlineMs - call.nowMs;
  replyTime(call, inSeconds ? Math.floor((milliseconds + 500) / 1000) : milliseconds);
}

const first = { first: 1, last: 1, step: 1 };

function expireCommand(
  name: string,
  unit: DeadlineUnit,
  since: string,
  argument: string,
  summary: string,
): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'fast'],
    keys: [{ ...first, access: 'RW update' }],
    group,
    summary,
    since,
    complexity: 'O(1)',
    syntax: `key ${argument} [NX | XX | GT | LT]`,
    run: (call) => expire(call, unit),
  };
}

function ttlCommand(
  name: string,
  isAbsolute: boolean,
  inSeconds: boolean,
  since: string,
  summary: string,
): CommandSpec {
  return {
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [{ ...first, access: 'RO access' }],
    tips: isAbsolute ? [] : ['nondeterministic_output'],
    group,
    summary,
    since,
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => ttl(call, isAbsolute, inSeconds),
  };
}

export const EXPIRY_COMMANDS: readonly CommandSpec[] = [
  expireCommand('expire', 'ex', '1.0.0', 'seconds', 'Sets the seconds a key has to live.'),
  expireCommand(
    'pexpire',
    'px',
    '2.6.0',
    'milliseconds',
    'Sets the milliseconds a key has to live.',
  ),
  expireCommand(
    'expireat',
    'exat',
    '1.2.0',
    'unix-time-seconds',
    'Sets the deadline of a key, in seconds since 1970.',
  ),
  expireCommand(
    'pexpireat',
    'pxat',
    '2.6.0',
    'unix-time-milliseconds',
    'Sets the deadline of a key, in milliseconds since 1970.',
  ),
  ttlCommand('ttl', false, true, '1.0.0', 'Returns the seconds a key has to live.'),
  ttlCommand('pttl', false, false, '2.6.0', 'Returns the milliseconds a key has to live.'),
  ttlCommand(
    'expiretime',
    true,
    true,
    '7.0.0',
    'Returns the deadline of a key, in seconds since 1970.',
  ),
  ttlCommand(
    'pexpiretime',
    true,
    false,
    '7.0.0',
    'Returns the deadline of a key, in milliseconds since 1970.',
  ),
  {
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [{ ...first, access: 'RW update' }],
    group,
    summary: 'Removes the deadline of a key.',
    since: '2.2.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: persist,
  },
];
