/** Commands about the connection itself. */
import { REPLIES, writeBulk, writeEncoded } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';

const group = 'connection';

function ping(call: Call): void {
  if (call.count > 2) call.failArity();
  else if (call.count === 2) writeBulk(call.out, call.bytes, call.starts[1], call.ends[1]);
  else writeEncoded(call.out, REPLIES.pong);
}

function echo(call: Call): void {
  writeBulk(call.out, call.bytes, call.starts[1], call.ends[1]);
}

function quit(call: Call): void {
  call.ok();
  call.session.close();
}

export const CONNECTION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    group,
    summary: 'Answers PONG, or what it was given.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '[message]',
    run: ping,
  },
  {
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group,
    summary: 'Answers what it was given.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'message',
    run: echo,
  },
  {
    name: 'quit',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group,
    summary: 'Closes the connection, once all that was asked before is answered.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: quit,
  },
];
