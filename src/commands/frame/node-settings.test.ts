import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { NODE_SETTINGS } from '../../node/index.ts';
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
