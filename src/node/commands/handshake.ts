/** Who the client is, which protocol it speaks, and what it starts with: HELLO, AUTH and their kin. */
import {
  writeArrayHeader,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeSimpleString,
  type RespVersion,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { INT32_MAX, INT32_MIN, parseInteger } from '../numbers.ts';
import { REDIS_VERSION } from '../version.ts';

const group = 'connection';

/** What a client without a name of its own may call its tenant. */
const DEFAULT_TENANT = 'default';

const WRONG_PASS = 'WRONGPASS invalid username-password pair or user is disabled.';

function auth(call: Call): void {
  if (call.count > 3) {
    call.fail(ERRORS.syntax);
    return;
  }
  const { secret } = call.node.settings;
  if (call.count === 2 && secret === '') {
    call.fail(
      'ERR AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?',
    );
    return;
  }
  const tenant = call.count === 3 ? call.text(1) : DEFAULT_TENANT;
  if (authenticate(call, tenant, call.copy(call.count - 1))) call.ok();
}

/** Puts the connection into the tenant, or replies with an error. */
function authenticate(call: Call, tenant: string, given: Uint8Array): boolean {
  const { secret } = call.node.settings;
  const isRight =
    tenant === DEFAULT_TENANT && (secret === '' || sameBytes(given, Buffer.from(secret)));
  if (!isRight) {
    call.fail(WRONG_PASS);
    return false;
  }
  call.session.setAuthenticated(true);
  return true;
}

/** Takes the same time wherever the first difference is. */
function sameBytes(given: Uint8Array, expected: Uint8Array): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < given.length; i++) difference |= given[i] ^ expected[i % expected.length];
  return difference === 0;
}

function hello(call: Call): void {
  let version: RespVersion = call.session.version;
  let at = 1;
  if (call.count > 1) {
    const wanted = parseInteger(call.bytes, call.starts[1], call.ends[1]);
    if (Number.isNaN(wanted)) {
      call.fail('ERR Protocol version is not an integer or out of range');
      return;
    }
    if (wanted !== 2 && wanted !== 3) {
      call.fail('NOPROTO unsupported protocol version');
      return;
    }
    version = wanted;
    at = 2;
  }
  let clientName: string | undefined;
  for (; at < call.count; at++) {
    const left = call.count - at - 1;
    if (call.is(at, 'auth') && left >= 2) {
      if (!authenticate(call, call.text(at + 1), call.copy(at + 2))) return;
      at += 2;
    } else if (call.is(at, 'setname') && left >= 1) {
      clientName = call.text(++at);
      if (!isClientName(clientName)) {
        call.fail(INVALID_CLIENT_NAME);
        return;
      }
    } else {
      call.fail(`ERR Syntax error in HELLO option '${call.quoted(at)}'`);
      return;
    }
  }
  if (!call.session.authenticated) {
    call.fail(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO ' +
        '<proto> AUTH <user> <pass> option can be used to authenticate the client and select ' +
        'the RESP protocol version at the same time',
    );
    return;
  }
  if (clientName !== undefined) call.session.name = clientName;
  call.session.version = version;
  replyHello(call, version);
}

function replyHello(call: Call, version: RespVersion): void {
  const { out } = call;
  writeMapHeader(out, 7, version);
  writeBulkText(out, 'server');
  writeBulkText(out, 'redis');
  writeBulkText(out, 'version');
  writeBulkText(out, REDIS_VERSION);
  writeBulkText(out, 'proto');
  writeInteger(out, version);
  writeBulkText(out, 'id');
  writeInteger(out, call.session.id);
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
