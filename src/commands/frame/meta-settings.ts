/** The settings of a meta peer, as people give them. */
import { nameSchema, parseAddress } from '../../cluster/index.ts';
import type { Address } from '../../runtime/index.ts';
import { address, count, word, type Kind } from './kinds.ts';
import { nodeSettings } from './node-settings.ts';
import { setting, type Values } from './settings.ts';

const name = word(
  'a name of a to z, 0 to 9, - and _, at most 63 of them',
  /^[a-z0-9][a-z0-9_-]{0,62}$/,
);

/** Peers by their names, each of them once. */
const peers: Kind<ReadonlyMap<string, Address>> = {
  label: '<name=host:port,…>',
  form: "a list such as 'm1=10.0.0.1:7500,m2=10.0.0.2:7500,m3=10.0.0.3:7500', each name and address once",
  parse: (text) => {
    const parts = text.split(',').map((part) => {
      const [peer = '', at = '', ...rest] = part.trim().split('=');
      const parsed = parseAddress(at);
      const isSound = nameSchema.safeParse(peer).success && rest.length === 0;
      return isSound && parsed !== undefined && parsed.port > 0
        ? ([peer, parsed] as const)
        : undefined;
    });
    const known = parts.filter((part) => part !== undefined);
    const names = new Set(known.map(([peer]) => peer));
    const addresses = new Set(known.map(([, at]) => address.format(at)));
    const isSound = names.size === parts.length && addresses.size === parts.length;
    return isSound ? new Map(known) : undefined;
  },
  format: (value) => [...value].map(([peer, at]) => `${peer}=${address.format(at)}`).join(','),
};

const cluster = <T>(kind: Kind<T>, fallback: T, summary: string) => ({
  ...setting(kind, fallback, summary),
  group: 'NEW CLUSTER',
});

export const metaSettings = {
  name: setting(name, 'm1', 'What this peer is called in its group.'),
  listen: setting(
    address,
    { host: '127.0.0.1', port: 7500 },
    'Where peers, nodes and clients connect.',
  ),
  http: setting(
    address,
    undefined,
    'Where the admin API is served over HTTP; not at all, where none is given.',
  ),
  peers: setting(
    peers,
    undefined,
    'All peers of a new group, the same at each of them. Without it, a peer with an empty data directory waits until it is added.',
  ),
  'data-dir': setting(
    word('a path of at most 4096 characters', /^[^\0]{1,4096}$/),
    undefined,
    'Where this peer keeps its log and its snapshots. It must be given.',
  ),
  cluster: setting(
    name,
    'cachectl',
    'The group. Peers of another one are refused, and their data.',
  ),
  'admin-token': {
    ...setting(
      word('1 to 512 visible characters', /^[!-~]{1,512}$/),
      undefined,
      'Asked of all that connect. Without it, only loopback addresses may be listened on.',
    ),
    secret: true,
  },
  shards: cluster(count({ min: 1, max: 16_384 }), 64, 'Into how many shards the slots are cut.'),
  replicas: cluster(count({ min: 0, max: 8 }), 1, 'Copies of each shard, beside the primary.'),
  'initial-nodes': cluster(
    count({ min: 1, max: 10_000 }),
    1,
    'Nodes that the first placement waits for, for two seconds at most.',
  ),
  'log-level': nodeSettings['log-level'],
  'log-format': nodeSettings['log-format'],
};

export type MetaSettingValues = Values<typeof metaSettings>;
