/** Connections as `CLIENT LIST` describes them, and how its filters are read. */
import type { Call } from './call.ts';
import { ERRORS } from './errors.ts';
import type { CacheNode } from './node.ts';
import type { Session } from './session.ts';

export function describeClient(session: Session, node: CacheNode): string {
  const { remote, local } = session.connection;
  const mode = node.tracking.modeOf(session);
  const flags = `${mode === undefined ? '' : 't'}${mode?.broadcast ? 'B' : ''}${session.noEvict ? 'e' : ''}${session.noTouch ? 'T' : ''}${session.readonlyMode ? 'r' : ''}`;
  const fields: ReadonlyArray<readonly [string, string | number]> = [
    ['id', session.id],
    ['addr', `${remote.host}:${remote.port}`],
    ['laddr', `${local.host}:${local.port}`],
    ['fd', session.id],
    ['name', session.name],
    ['age', Math.floor((node.nowMs - session.connectedAtMs) / 1000)],
    ['idle', Math.floor((node.nowMs - session.lastActiveMs) / 1000)],
    ['flags', flags === '' ? 'N' : flags],
    ['db', 0],
    ['sub', 0],
    ['psub', 0],
    ['ssub', 0],
    ['multi', -1],
    ['qbuf', session.reader.bytesCarried],
    ['qbuf-free', session.reader.bytesAllocated - session.reader.bytesCarried],
    ['argv-mem', 0],
    ['multi-mem', 0],
    ['obl', 0],
    ['oll', 0],
    ['omem', session.connection.bytesQueued],
    ['tot-mem', session.reader.bytesAllocated + session.connection.bytesQueued],
    ['events', 'r'],
    ['cmd', session.lastCommand],
    ['user', 'default'],
    ['redir', mode === undefined ? -1 : 0],
    ['resp', session.version],
    ['lib-name', session.libraryName],
    ['lib-ver', session.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

/** Which connections `CLIENT KILL` means: those to which all apply that are given. */
export interface ClientFilter {
  id?: number;
  type?: string;
  address?: string;
  localAddress?: string;
  skipsCaller: boolean;
}

/** There are no others here, but clients may ask for them. */
const TYPES_ABSENT = ['master', 'replica', 'slave', 'pubsub'];

/** Reads `NORMAL` and its kin from an argument; undefined after it has replied with an error. */
function parseType(call: Call, index: number): string | undefined {
  const type = call.word(index);
  if (type === 'normal' || TYPES_ABSENT.includes(type)) return type;
  call.fail(`ERR Unknown client type '${call.quoted(index)}'`);
  return undefined;
}

/** The connections that `CLIENT LIST` is asked for; undefined after it has replied with an error. */
export function listedClients(call: Call): Session[] | undefined {
  const { sessions } = call.node;
  if (call.count === 2) return [...sessions.values()];
  if (call.count === 4 && call.is(2, 'type')) {
    const type = parseType(call, 3);
    if (type === undefined) return undefined;
    return type === 'normal' ? [...sessions.values()] : [];
  }
  if (call.count === 3 || !call.is(2, 'id')) {
    call.fail(ERRORS.syntax);
    return undefined;
  }
  const listed: Session[] = [];
  for (let i = 3; i < call.count; i++) {
    const id = call.integer(i, 'ERR Invalid client ID');
    if (Number.isNaN(id)) return undefined;
    const session = sessions.get(id);
    if (session !== undefined) listed.push(session);
  }
  return listed;
}

/** Reads what follows `CLIENT KILL`; undefined after it has replied with an error. */
export function parseClientFilter(call: Call): ClientFilter | undefined {
  if (call.count === 3) return { address: call.text(2), skipsCaller: false };
  const filter: ClientFilter = { skipsCaller: true };
  for (let i = 2; i < call.count; i += 2) {
    if (i + 1 === call.count || !addCondition(call, filter, i)) {
      if (!call.failed) call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return filter;
}

/** Reads the word at `index` and the value after it; false where that is wrong. */
function addCondition(call: Call, filter: ClientFilter, index: number): boolean {
  const at = index + 1;
  switch (call.word(index)) {
    case 'id': {
      const text = 'ERR client-id should be greater than 0';
      filter.id = call.integer(at, text);
      if (filter.id < 1) call.fail(text);
      return filter.id >= 1;
    }
    case 'type': {
      const type = parseType(call, at);
      if (type !== undefined) filter.type = type;
      return type !== undefined;
    }
    case 'addr':
      filter.address = call.text(at);
      return true;
    case 'laddr':
      filter.localAddress = call.text(at);
      return true;
    case 'user':
      if (call.text(at) === 'default') return true;
      call.fail(`ERR No such user '${call.quoted(at)}'`);
      return false;
    case 'skipme':
      filter.skipsCaller = call.is(at, 'yes');
      return filter.skipsCaller || call.is(at, 'no');
    default:
      return false;
  }
}

export function isMeant(filter: ClientFilter, session: Session, caller: Session): boolean {
  const { remote, local } = session.connection;
  return (
    (filter.id === undefined || filter.id === session.id) &&
    (filter.type === undefined || filter.type === 'normal') &&
    (filter.address === undefined || filter.address === `${remote.host}:${remote.port}`) &&
    (filter.localAddress === undefined || filter.localAddress === `${local.host}:${local.port}`) &&
    !(filter.skipsCaller && session === caller)
  );
}
