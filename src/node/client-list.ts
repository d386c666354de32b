/** Connections as `CLIENT LIST` describes them, and how its filters are read. */
import type { Call } from './call.ts';
import { ERRORS } from './errors.ts';
import type { CacheNode } from './node.ts';
import { parseInteger } from './numbers.ts';
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

export interface ClientFilter {
  ids?: readonly number[];
  type?: string;
  address?: string;
  localAddress?: string;
  user?: string;
  skipMe?: boolean;
  maxAgeSeconds?: number;
}

const CLIENT_TYPES = ['normal', 'master', 'replica', 'slave', 'pubsub'];

/** Reads filters from argument `at` on; undefined after it has replied with an error. */
export function parseClientFilter(
  call: Call,
  at: number,
  command: 'list' | 'kill',
): ClientFilter | undefined {
  const filter: ClientFilter = {};
  for (let i = at; i < call.count; i += 2) {
    const word = call.word(i);
    if (i + 1 >= call.count || (command === 'list' && word !== 'id' && word !== 'type')) {
      return failed(call, ERRORS.syntax);
    }
    const value = call.text(i + 1);
    if (word === 'id') {
      const last = command === 'list' ? call.count - 1 : i + 1;
      const ids = readIds(call, i + 1, last);
      if (ids === undefined) return undefined;
      filter.ids = ids;
      i = last - 1;
    } else if (word === 'type') {
      const type = value.toLowerCase();
      if (!CLIENT_TYPES.includes(type)) return failed(call, `ERR Unknown client type '${value}'`);
      filter.type = type;
    } else if (word === 'addr') filter.address = value;
    else if (word === 'laddr') filter.localAddress = value;
    else if (word === 'user') {
      if (value !== 'default') return failed(call, `ERR No such user '${value}'`);
      filter.user = value;
    } else if (word === 'skipme' && /^(yes|no)$/i.test(value)) {
      filter.skipMe = value.toLowerCase() === 'yes';
    } else if (word === 'maxage') {
      const seconds = parseInteger(call.bytes, call.starts[i + 1], call.ends[i + 1]);
      if (Number.isNaN(seconds)) return failed(call, ERRORS.notInteger);
      filter.maxAgeSeconds = seconds;
    } else return failed(call, ERRORS.syntax);
  }
  return filter;
}

function readIds(call: Call, from: number, to: number): number[] | undefined {
  const ids: number[] = [];
  for (let i = from; i <= to; i++) {
    const id = parseInteger(call.bytes, call.starts[i], call.ends[i]);
    if (Number.isNaN(id) || id <= 0) return failed(call, 'ERR Invalid client ID');
    ids.push(id);
  }
  return ids;
}

function failed(call: Call, text: string): undefined {
  call.fail(text);
}
