/** `CLIENT`: names, lists and ends connections, silences replies, tracks keys, pauses. */
import {
  writeArrayHeader,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeSetHeader,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import { describeClient, type ClientFilter, parseClientFilter } from '../client-list.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { parseInteger } from '../numbers.ts';
import type { TrackingMode } from '../tracking.ts';
import { helpCommand } from './help.ts';
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
    call.fail(`ERR Unrecognized option '${call.text(2)}'`);
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
  const filter = call.count === 2 ? {} : parseClientFilter(call, 2, 'list');
  if (filter === undefined) return;
  const lines = [...call.node.sessions.values()]
    .filter((session) => matches(call, filter, session.id))
    .map((session) => `${describeClient(session, call.node)}\n`);
  writeVerbatim(call.out, 'txt', lines.join(''), call.version);
}

function matches(call: Call, filter: ClientFilter, id: number): boolean {
  const session = call.node.sessions.get(id);
  if (session === undefined) return false;
  const { remote, local } = session.connection;
  return (
    (filter.ids === undefined || filter.ids.includes(id)) &&
    (filter.type === undefined || filter.type === 'normal') &&
    (filter.address === undefined || filter.address === `${remote.host}:${remote.port}`) &&
    (filter.localAddress === undefined || filter.localAddress === `${local.host}:${local.port}`) &&
    (filter.user === undefined || filter.user === 'default') &&
    (filter.maxAgeSeconds === undefined ||
      (call.nowMs - session.connectedAtMs) / 1000 >= filter.maxAgeSeconds) &&
    !(filter.skipMe === true && session === call.session)
  );
}

function kill(call: Call): void {
  const isOldForm = call.count === 3;
  const filter: ClientFilter | undefined = isOldForm
    ? { address: call.text(2) }
    : parseClientFilter(call, 2, 'kill');
  if (filter === undefined) return;
  if (!isOldForm) filter.skipMe ??= true;
  const victims = [...call.node.sessions.values()].filter((session) =>
    matches(call, filter, session.id),
  );
  if (isOldForm && victims.length === 0) {
    call.fail('ERR No such client');
    return;
  }
  if (isOldForm) call.ok();
  else writeInteger(call.out, victims.length);
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
  const timeoutMs = parseInteger(call.bytes, call.starts[2], call.ends[2]);
  if (Number.isNaN(timeoutMs)) {
    call.fail('ERR timeout is not an integer or out of range');
    return;
  }
  if (timeoutMs < 0) {
    call.fail('ERR timeout is negative');
    return;
  }
  if (call.count > 4 || (call.count === 4 && !call.is(3, 'all') && !call.is(3, 'write'))) {
    call.fail(ERRORS.syntax);
    return;
  }
  call.node.pause(call.nowMs + timeoutMs, call.count === 3 || call.is(3, 'all'));
  call.ok();
}

function unpause(call: Call): void {
  call.ok();
  call.node.runtime.timers.defer(() => call.node.unpause());
}

function tracking(call: Call): void {
  const isOn = call.is(2, 'on');
  if (!isOn && !call.is(2, 'off')) {
    call.fail(ERRORS.syntax);
    return;
  }
  const mode = parseTrackingMode(call);
  if (mode === undefined) return;
  const { node, session } = call;
  if (!isOn) {
    node.tracking.disable(session);
    call.ok();
    return;
  }
  const problem = trackingProblem(mode, node.tracking.modeOf(session), session.version);
  if (problem !== undefined) {
    call.fail(problem);
    return;
  }
  node.tracking.enable(session, mode);
  call.ok();
}

function parseTrackingMode(call: Call): TrackingMode | undefined {
  const prefixes: string[] = [];
  const mode: TrackingMode = {
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes,
    caching: undefined,
  };
  for (let i = 3; i < call.count; i++) {
    if (call.is(i, 'bcast')) mode.broadcast = true;
    else if (call.is(i, 'optin')) mode.optIn = true;
    else if (call.is(i, 'optout')) mode.optOut = true;
    else if (call.is(i, 'noloop')) mode.noLoop = true;
    else if (call.is(i, 'prefix') && i + 1 < call.count) prefixes.push(call.text(++i));
    else if (call.is(i, 'redirect') && i + 1 < call.count) {
      call.fail(
        'ERR REDIRECT is not supported: invalidation messages are RESP3 pushes on the same ' +
          'connection; switch to it with HELLO 3',
      );
      return undefined;
    } else {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return mode;
}

function trackingProblem(
  mode: TrackingMode,
  current: TrackingMode | undefined,
  version: number,
): string | undefined {
  if (mode.prefixes.length > 0 && !mode.broadcast) {
    return 'ERR PREFIX option requires BCAST mode to be enabled';
  }
  if (mode.optIn && mode.optOut) {
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  }
  if (mode.broadcast && (mode.optIn || mode.optOut)) {
    return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  }
  if (current !== undefined && current.broadcast !== mode.broadcast) {
    return (
      "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and " +
      'then re-enabling it with a different mode.'
    );
  }
  if (current !== undefined && (current.optIn !== mode.optIn || current.optOut !== mode.optOut)) {
    return (
      "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and " +
      'then re-enabling it with a different mode.'
    );
  }
  if (version !== 3) {
    return 'ERR CLIENT TRACKING needs RESP3 for its invalidation messages: send HELLO 3 first';
  }
  return overlap(mode.prefixes);
}

function overlap(prefixes: readonly string[]): string | undefined {
  for (const [index, one] of prefixes.entries()) {
    const other = prefixes.find(
      (prefix, at) => at !== index && (prefix.startsWith(one) || one.startsWith(prefix)),
    );
    if (other !== undefined) {
      return (
        `ERR Prefix '${one}' overlaps with another provided prefix '${other}'. Prefixes for a ` +
        'single client must not overlap.'
      );
    }
  }
  return undefined;
}

function caching(call: Call): void {
  const mode = call.node.tracking.modeOf(call.session);
  const says = call.is(2, 'yes') ? true : call.is(2, 'no') ? false : undefined;
  if (mode === undefined || (!mode.optIn && !mode.optOut)) {
    call.fail(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or ' +
        'OPTOUT mode enabled',
    );
  } else if (says === undefined) {
    call.fail(ERRORS.syntax);
  } else if (says && !mode.optIn) {
    call.fail('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
  } else if (!says && !mode.optOut) {
    call.fail('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
  } else {
    mode.caching = says;
    call.ok();
  }
}

function getRedirect(call: Call): void {
  writeInteger(call.out, call.node.tracking.modeOf(call.session) === undefined ? -1 : 0);
}

function trackingInfo(call: Call): void {
  const mode = call.node.tracking.modeOf(call.session);
  const flags = mode === undefined ? ['off'] : ['on'];
  if (mode?.broadcast) flags.push('bcast');
  if (mode?.optIn) flags.push('optin');
  if (mode?.optOut) flags.push('optout');
  if (mode?.caching === true) flags.push('caching-yes');
  if (mode?.caching === false) flags.push('caching-no');
  if (mode?.noLoop) flags.push('noloop');
  const { out, version } = call;
  writeMapHeader(out, 3, version);
  writeBulkText(out, 'flags');
  writeSetHeader(out, flags.length, version);
  for (const flag of flags) writeBulkText(out, flag);
  writeBulkText(out, 'redirect');
  writeInteger(out, mode === undefined ? -1 : 0);
  writeBulkText(out, 'prefixes');
  writeArrayHeader(out, mode?.prefixes.length ?? 0);
  for (const prefix of mode?.prefixes ?? []) writeBulkText(out, prefix);
}

type Sub = Pick<CommandSpec, 'name' | 'arity' | 'summary' | 'syntax' | 'since'> & {
  run: (call: Call) => void;
  flags?: CommandSpec['flags'];
  complexity?: string;
  tips?: readonly string[];
};

const connectionFlags: CommandSpec['flags'] = ['noscript', 'loading', 'stale'];

function sub(spec: Sub): CommandSpec {
  return { flags: connectionFlags, complexity: 'O(1)', ...spec, group };
}

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
      '<ip:port | [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] ' +
      '[SKIPME YES | NO] [MAXAGE maxage]>',
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
  {
    name: 'client',
    arity: -2,
    flags: [],
    group,
    summary: 'What concerns connections.',
    since: '2.4.0',
    complexity: 'Depends on the subcommand.',
    syntax: '',
    subcommands: [...SUBCOMMANDS, helpCommand('client', group, SUBCOMMANDS)],
  },
];
