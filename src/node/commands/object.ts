/** What is known of a key beside its value. */
import { REPLIES, writeBulkText, writeEncoded, writeInteger } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { parseInt64 } from '../numbers.ts';
import { container } from './container.ts';

const group = 'generic';

/** Redis keeps strings up to here in one piece with their header. */
const EMBEDDED_BYTES_MAX = 44;

/** Replies null where there is no such key. */
function withRecord(call: Call, reply: (ref: number) => void): void {
  const ref = call.peek(2);
  if (ref === 0) call.null();
  else reply(ref);
}

function encoding(call: Call, ref: number): string {
  const { arena } = call.engine;
  const start = arena.valueStart(ref);
  const length = arena.valueLength(ref);
  if (parseInt64(arena.octets(ref), start, start + length) !== undefined) return 'int';
  return length <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
}

function frequency(call: Call, ref: number): void {
  const estimate = call.domain.policy.frequency(ref);
  if (estimate !== undefined) writeInteger(call.out, estimate);
  else call.fail(`ERR the policy '${call.domain.policyName}' keeps no access frequency`);
}

const keys = [{ first: 2, last: 2, step: 1, access: 'RO' }];
const flags = ['readonly'] as const;
const tips = ['nondeterministic_output'];

const SUBCOMMANDS: readonly CommandSpec[] = [
  {
    name: 'encoding',
    arity: 3,
    flags,
    keys,
    tips,
    group,
    summary: 'Returns how Redis would store the value: int, embstr or raw.',
    since: '2.2.3',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => withRecord(call, (ref) => writeBulkText(call.out, encoding(call, ref))),
  },
  {
    name: 'freq',
    arity: 3,
    flags,
    keys,
    tips,
    group,
    summary: "Returns the policy's estimate of how often the key was used of late.",
    since: '4.0.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => withRecord(call, (ref) => frequency(call, ref)),
  },
  {
    name: 'idletime',
    arity: 3,
    flags,
    keys,
    tips,
    group,
    summary: 'Returns the seconds since the key was used.',
    since: '2.2.3',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) =>
      withRecord(call, (ref) => writeInteger(call.out, call.domain.policy.idleSeconds(ref))),
  },
  {
    name: 'refcount',
    arity: 3,
    flags,
    keys,
    tips,
    group,
    summary: 'Returns 1: no two keys share a value.',
    since: '2.2.3',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => withRecord(call, () => writeEncoded(call.out, REPLIES.one)),
  },
];

export const OBJECT_COMMANDS: readonly CommandSpec[] = [
  container(
    {
      name: 'object',
      group,
      summary: 'Tells about a key what is not its value.',
      since: '2.2.3',
    },
    SUBCOMMANDS,
  ),
];
