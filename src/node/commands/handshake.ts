/** Who the client is, which protocol it speaks, and what it starts with: HELLO, AUTH and their kin. */
import { DEFAULT_TENANT } from '../../cluster/index.ts';
import {
  REPLIES,
  writeArrayHeader,
  writeBulkText,
  writeEncoded,
  writeError,
  writeInteger,
  writeMapHeader,
  writeSimpleString,
  type RespVersion,
} from '../../resp/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { INT32_MAX, INT32_MIN, parseInteger } from '../numbers.ts';
import type { Session } from '../session.ts';
import { REDIS_VERSION } from '../version.ts';

const group = 'connection';

function auth(call: Call): void {
  if (call.count > 3) {
    call.fail(ERRORS.syntax);
    return;
  }
  if (call.count === 2 && !call.node.needsSecret()) {
    call.fail(
      'ERR AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?',
    );
    return;
  }
  const user = call.count === 3 ? call.text(1) : DEFAULT_TENANT;
  authenticate(call, user, call.copy(call.count - 1), (out) => writeEncoded(out, REPLIES.ok));
}

/**
 * Puts the connection into a tenant and then calls `onSuccess`, or replies with an error. Where the
 * secret takes a while to be checked, the client's next requests wait for it.
 */
function authenticate(
  call: Call,
  user: string,
  secret: Uint8Array,
  onSuccess: (out: OutputBuffer) => void,
): void {
  const { node, session } = call;
  const isMuted = session.replyMode === 'off' || session.replyMode === 'skip-this';
  let isLate = false;
  let isDone = false;
  node.authenticate(session, user, secret, (problem) => {
    isDone = true;
    if (!isLate) {
      if (problem === undefined) onSuccess(call.out);
      else call.fail(problem);
      return;
    }
    if (problem !== undefined) node.countError(problem);
    if (session.closed) return;
    if (!isMuted) {
      session.respond((out) => {
        if (problem === undefined) onSuccess(out);
        else writeError(out, problem);
      });
    }
    session.wake();
  });
  if (!isDone) session.suspend();
  isLate = true;
}

interface Greeting {
  /** What is wrong after the options that are understood. */
  problem: string | undefined;
  version: RespVersion;
  user: string | undefined;
  secret: Uint8Array;
  clientName: string | undefined;
}

function hello(call: Call): void {
  const greeting = parseHello(call);
  const { node, session } = call;
  const { user, secret, problem } = greeting;
  const finish = (out: OutputBuffer): void => {
    if (problem !== undefined) {
      node.countError(problem);
      writeError(out, problem);
      return;
    }
    if (greeting.clientName !== undefined) session.name = greeting.clientName;
    session.version = greeting.version;
    writeHello(out, session);
  };
  if (user !== undefined) {
    authenticate(call, user, secret, finish);
  } else if (problem !== undefined) {
    call.fail(problem);
  } else if (session.authenticated) {
    finish(call.out);
  } else {
    call.fail(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO ' +
        '<proto> AUTH <user> <pass> option can be used to authenticate the client and select ' +
        'the RESP protocol version at the same time',
    );
  }
}

/** What HELLO asks for, as far as it is understood. */
function parseHello(call: Call): Greeting {
  const greeting: Greeting = {
    problem: undefined,
    version: call.session.version,
    user: undefined,
    secret: new Uint8Array(0),
    clientName: undefined,
  };
  if (call.count === 1) return greeting;
  const wanted = parseInteger(call.bytes, call.starts[1], call.ends[1]);
  if (Number.isNaN(wanted)) {
    greeting.problem = 'ERR Protocol version is not an integer or out of range';
    return greeting;
  }
  if (wanted !== 2 && wanted !== 3) {
    greeting.problem = 'NOPROTO unsupported protocol version';
    return greeting;
  }
  greeting.version = wanted;
  for (let at = 2; at < call.count; at++) {
    const left = call.count - at - 1;
    if (call.is(at, 'auth') && left >= 2) {
      greeting.user = call.text(at + 1);
      greeting.secret = call.copy(at + 2);
      at += 2;
    } else if (call.is(at, 'setname') && left >= 1) {
      greeting.clientName = call.text(++at);
      if (!isClientName(greeting.clientName)) {
        greeting.problem = INVALID_CLIENT_NAME;
        return greeting;
      }
    } else {
      greeting.problem = `ERR Syntax error in HELLO option '${call.quoted(at)}'`;
      return greeting;
    }
  }
  return greeting;
}

function writeHello(out: OutputBuffer, { id, version }: Session): void {
  writeMapHeader(out, 7, version);
  writeBulkText(out, 'server');
  writeBulkText(out, 'redis');
  writeBulkText(out, 'version');
  writeBulkText(out, REDIS_VERSION);
  writeBulkText(out, 'proto');
  writeInteger(out, version);
  writeBulkText(out, 'id');
  writeInteger(out, id);
  writeBulkText(out, 'mode');
  writeBulkText(out, 'cluster');
  writeBulkText(out, 'role');
  writeBulkText(out, 'master');
  writeBulkText(out, 'modules');
  writeArrayHeader(out, 0);
}

export const INVALID_CLIENT_NAME =
  'ERR Client names cannot contain spaces, newlines or special characters.';

/** Printable characters without spaces, so that `CLIENT LIST` can be taken apart. */
export function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

function select(call: Call): void {
  const database = call.integerWithin(1, INT32_MIN, INT32_MAX);
  if (database === 0) call.ok();
  else if (!Number.isNaN(database)) call.fail(ERRORS.noDatabase);
}

function reset(call: Call): void {
  call.session.reset();
  writeSimpleString(call.out, 'RESET');
}

export const HANDSHAKE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'hello',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group,
    summary: 'Chooses the protocol version, authenticates, names the connection.',
    since: '6.0.0',
    complexity: 'O(1)',
    syntax: '[protover [AUTH username password] [SETNAME clientname]]',
    run: hello,
  },
  {
    name: 'auth',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group,
    summary: 'Puts the connection into a tenant.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '[username] password',
    run: auth,
  },
  {
    name: 'select',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group,
    summary: 'Chooses database 0, the only one there is.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'index',
    run: select,
  },
  {
    name: 'reset',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group,
    summary: 'Puts the connection back to where it was when it was made.',
    since: '6.2.0',
    complexity: 'O(1)',
    syntax: '',
    run: reset,
  },
];
