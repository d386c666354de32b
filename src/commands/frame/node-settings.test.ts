import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { LIVE_SETTINGS } from '../../cluster/index.ts';
import { KEY_LENGTH_MAX, VALUE_LENGTH_MAX } from '../../engine/index.ts';
import { NODE_SETTINGS } from '../../node/index.ts';
import { REQUEST_BYTES_CEILING } from '../../resp/index.ts';
import { nodeOptionsOf, nodeSettings } from './node-settings.ts';
import { runNode } from './running-node.ts';
import { readSettings } from './settings.ts';

const quiet = { level: 'silent' } as const;

/** A node on a free port takes these flags, and answers a client. */
async function serves(flags: Readonly<Record<string, string>>): Promise<string> {
  const given = { listen: '127.0.0.1:0', ...flags };
  const values = readSettings(nodeSettings, { flags: given, environment: {}, file: undefined });
  const { node, stop } = await runNode(nodeOptionsOf(values), quiet);
  const socket = connect(node.address.port, '127.0.0.1');
  socket.write('PING\r\n');
  const [reply] = await once(socket, 'data');
  socket.destroy();
  await stop();
  return String(reply);
}

type Edge = readonly [name: string, edge: 'min' | 'max', text: string];

const edges = Object.entries(nodeSettings).flatMap(([name, { kind }]): Edge[] => {
  const textOf = (value: number) => `${value}${kind.label === '<duration>' ? 'ms' : ''}`;
  const { min, max } = kind.range ?? {};
  if (min === undefined || max === undefined) return [];
  return [
    [name, 'min', textOf(min)],
    [name, 'max', textOf(max)],
  ];
});

describe('a node of a cluster', () => {
  const optionsOf = (flags: Readonly<Record<string, string>>) =>
    nodeOptionsOf(readSettings(nodeSettings, { flags, environment: {}, file: undefined }), '1.2.3');
  const given = { meta: '10.0.0.1:7500,[::1]:7501', name: 'n1' };

  test('knows its meta peers, and how others reach it', () => {
    const { cluster } = optionsOf({ ...given, listen: '10.0.0.9:7400', zone: 'b', weight: '3' });
    expect(cluster).toMatchObject({
      meta: [
        { host: '10.0.0.1', port: 7500 },
        { host: '::1', port: 7501 },
      ],
      ...{ name: 'n1', zone: 'b', weight: 3, announceHost: '10.0.0.9', version: '1.2.3' },
    });
    expect(optionsOf({}).cluster).toBeUndefined();
  });

  test.each([
    ['no name', { meta: given.meta }, '--name'],
    ['a name that a cluster cannot have', { ...given, name: 'N.1' }, '--name'],
    ['no address for others', { ...given, listen: '0.0.0.0:7400' }, '--announce-host'],
    ['a meta peer without a port', { ...given, meta: '10.0.0.1' }, '--meta'],
  ])('is refused with %s', (_, flags, named) => {
    expect(() => optionsOf(flags)).toThrow(named);
  });

  test('takes limits from the cluster, by the names of flags, and nothing else', () => {
    const settingsOf = optionsOf(given).cluster?.settingsOf;
    expect(settingsOf?.({ 'max-clients': 7, 'max-value-size': '2mb' })).toEqual({
      settings: { clientsMax: 7, valueBytesMax: 2 * 1024 ** 2 },
      problems: [],
    });
    const { settings, problems } = settingsOf?.({ 'max-clients': 0, listen: 'x', nope: 1 }) ?? {};
    expect(settings).toEqual({});
    expect(problems).toHaveLength(3);
  });
});

test('what a cluster allows at most is what engine and codec can bear', () => {
  expect(LIVE_SETTINGS['max-value-size'].range?.max).toBe(VALUE_LENGTH_MAX);
  expect(LIVE_SETTINGS['max-key-size'].range?.max).toBe(KEY_LENGTH_MAX);
  expect(LIVE_SETTINGS['max-request-size'].range?.max).toBe(REQUEST_BYTES_CEILING);
});

describe('what is allowed is allowed: a node serves at both ends of every range', () => {
  test.each(edges)('--%s at its %s, %s', async (name, _edge, text) => {
    expect(await serves({ [name]: text })).toBe('+PONG\r\n');
  });

  test.each(['min', 'max'] as const)('and with all of them at their %s', async (end) => {
    const all = edges
      .filter(([, edge]) => edge === end)
      .map(([name, , text]) => [name, text] as const);
    expect(await serves(Object.fromEntries(all))).toBe('+PONG\r\n');
  });
});

test('with nothing given, a node has its own defaults', () => {
  const { listen, name, settings } = nodeOptionsOf({});
  expect(listen).toEqual({ host: '127.0.0.1', port: 7400 });
  expect(name).toBeUndefined();
  expect(settings).toEqual(NODE_SETTINGS);
});

test('the defaults are within what is allowed', () => {
  for (const [name, { kind, default: fallback }] of Object.entries(nodeSettings)) {
    if (fallback === undefined) continue;
    const text = (kind.format as (value: unknown) => string)(fallback);
    expect(kind.parse(text), `--${name} ${text}`).toEqual(fallback);
  }
});
