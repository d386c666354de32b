/** `CLIENT`: names, lists and ends connections, silences replies, tracks keys, pauses. */
import { writeBulkText, writeInteger, writeVerbatim } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import { describeClient, isMeant, listedClients, parseClientFilter } from '../client-list.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { caching, getRedirect, tracking, trackingInfo } from './client-tracking.ts';
import { container, subcommandsWith } from './container.ts';
import { INVALID_CLIENT_NAME, isClientName } from './handshake.ts';

const group = 'connection';

function setName(call: Call): void {
  const name = call.text(2);
  if (!isClientName(name)) {
    call.fail(INVALID_CLIENT_NAME);
    return;
  }
  call.session.name = name;
  call.ok();
}

function getName(call: Call): void {
  if (call.session.name === '') call.null();
  else writeBulkText(call.out, call.session.name);
}

function setInfo(call: Call): void {
  const what = call.word(2);
  const value = call.text(3);
  if (what !== 'lib-name' && what !== 'lib-ver') {
    call.fail(`ERR Unrecognized option '${call.quoted(2)}'`);
  } else if (!isClientName(value)) {
    call.fail(`ERR ${what} cannot contain spaces, newlines or special characters.`);
  } else {
    if (what === 'lib-name') call.session.libraryName = value;
    else call.session.libraryVersion = value;
    call.ok();
  }
}

function info(call: Call): void {
  const line = describeClient(call.session, call.node);
  writeVerbatim(call.out, 'txt', `${line}\n`, call.version);
}

function list(call: Call): void {
  const sessions = listedClients(call);
  if (sessions === undefined) return;
  const lines = sessions.map((session) => `${describeClient(session, call.node)}\n`);
  writeVerbatim(call.out, 'txt', lines.join(''), call.version);
}

function kill(call: Call): void {
  const filter = parseClientFilter(call);
  if (filter === undefined) return;
  const sessions = [...call.node.sessions.values()];
  const victims = sessions.filter((session) => isMeant(filter, session, call.session));
  if (call.count > 3) {
    writeInteger(call.out, victims.length);
  } else if (victims.length === 0) {
    call.fail('ERR No such client');
  } else {
    call.ok();
  }
  for (const session of victims) {
    if (session === call.session) session.close();
    else session.destroy();
  }
}

/** Reads ON or OFF into a field of the session. */
function onOff(call: Call, set: (isOn: boolean) => void): void {
  const isOn = call.is(2, 'on');
  if (!isOn && !call.is(2, 'off')) {
    call.fail(ERRORS.syntax);
    return;
  }
  set(isOn);
  call.ok();
}

function reply(call: Call): void {
  if (call.is(2, 'on')) {
    call.session.replyMode = 'on';
    call.ok();
  } else if (call.is(2, 'off')) {
    call.session.replyMode = 'off';
  } else if (call.is(2, 'skip')) {
    if (call.session.replyMode !== 'off') call.session.replyMode = 'skip-next';
  } else {
    call.fail(ERRORS.syntax);
  }
}

function pause(call: Call): void {
  if (call.count > 4) {
    call.failSubcommand();
    return;
  }
  if (call.count === 4 && !call.is(3, 'all') && !call.is(3, 'write')) {
    call.fail('ERR CLIENT PAUSE mode must be WRITE or ALL');
    return;
  }
  const timeoutMs = call.integer(2, 'ERR timeout is not an integer or out of range');
  if (Number.isNaN(timeoutMs)) return;
  if (timeoutMs < 0) {
    call.fail('ERR timeout is negative');
    return;
  }
  call.node.pause(call.nowMs + timeoutMs, call.count === 3 || call.is(3, 'all'));
  call.ok();
}

function unpause(call: Call): void {
  call.ok();
  call.node.runtime.timers.defer(() => call.node.unpause());
}

const connectionFlags: CommandSpec['flags'] = ['noscript', 'loading', 'stale'];

const sub = subcommandsWith({ flags: connectionFlags, complexity: 'O(1)', group });

const SUBCOMMANDS: readonly CommandSpec[] = [
  sub({
    name: 'id',
    arity: 2,
    summary: 'Returns the id of this connection.',
    syntax: '',
    since: '5.0.0',
    run: (call) => writeInteger(call.out, call.session.id),
  }),
  sub({
    name: 'setname',
    arity: 3,
    summary: 'Names this connection.',
    syntax: 'connection-name',
    since: '2.6.9',
    run: setName,
  }),
  sub({
    name: 'getname',
    arity: 2,
    summary: 'Returns the name of this connection.',
    syntax: '',
    since: '2.6.9',
    run: getName,
  }),
  sub({
    name: 'setinfo',
    arity: 4,
    summary: 'Says which client library this is.',
    syntax: '<LIB-NAME libname | LIB-VER libver>',
    since: '7.2.0',
    run: setInfo,
  }),
  sub({
    name: 'info',
    arity: 2,
    tips: ['nondeterministic_output'],
    summary: 'Describes this connection.',
    syntax: '',
    since: '6.2.0',
    run: info,
  }),
  sub({
    name: 'list',
    arity: -2,
    tips: ['nondeterministic_output'],
    summary: 'Describes the connections.',
    syntax: '[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]',
    since: '2.4.0',
    flags: ['admin', ...connectionFlags],
    complexity: 'O(N) with N connections',
    run: list,
  }),
  sub({
    name: 'kill',
    arity: -3,
    summary: 'Ends connections.',
    syntax:
      '<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] ' +
      '[SKIPME <YES | NO>]>',
    since: '2.4.0',
    flags: ['admin', ...connectionFlags],
    complexity: 'O(N) with N connections',
    run: kill,
  }),
  sub({
    name: 'no-evict',
    arity: 3,
    summary: 'Accepted for compatibility: connections are never evicted for their memory.',
    syntax: '<ON | OFF>',
    since: '7.0.0',
    flags: ['admin', ...connectionFlags],
    run: (call) => onOff(call, (isOn) => (call.session.noEvict = isOn)),
  }),
  sub({
    name: 'no-touch',
    arity: 3,
    summary: 'Lets this connection read keys without that counting as use of them.',
    syntax: '<ON | OFF>',
    since: '7.2.0',
    run: (call) => onOff(call, (isOn) => (call.session.noTouch = isOn)),
  }),
  sub({
    name: 'reply',
    arity: 3,
    summary: 'Silences replies.',
    syntax: '<ON | OFF | SKIP>',
    since: '3.2.0',
    run: reply,
  }),
  sub({
    name: 'pause',
    arity: -3,
    summary: 'Holds back the commands of all connections for a while.',
    syntax: 'timeout [WRITE | ALL]',
    since: '3.0.0',
    flags: ['admin', ...connectionFlags],
    run: pause,
  }),
  sub({
    name: 'unpause',
    arity: 2,
    summary: 'Ends a pause.',
    syntax: '',
    since: '6.2.0',
    flags: ['admin', ...connectionFlags],
    complexity: 'O(N) with N connections',
    run: unpause,
  }),
  sub({
    name: 'tracking',
    arity: -3,
    summary: 'Asks to be told when keys change that this connection has read.',
    syntax: '<ON | OFF> [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]',
    since: '6.0.0',
    run: tracking,
  }),
  sub({
    name: 'caching',
    arity: 3,
    summary: 'Says whether the keys of the next command are to be tracked.',
    syntax: '<YES | NO>',
    since: '6.0.0',
    run: caching,
  }),
  sub({
    name: 'trackinginfo',
    arity: 2,
    summary: 'Describes the tracking of this connection.',
    syntax: '',
    since: '6.2.0',
    run: trackingInfo,
  }),
  sub({
    name: 'getredir',
    arity: 2,
    summary: 'Returns 0 where this connection tracks, -1 where it does not.',
    syntax: '',
    since: '6.0.0',
    run: getRedirect,
  }),
];

export const CLIENT_COMMANDS: readonly CommandSpec[] = [
  container(
    { name: 'client', group, summary: 'What concerns connections.', since: '2.4.0' },
    SUBCOMMANDS,
  ),
];
