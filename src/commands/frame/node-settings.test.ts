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

const ranged = Object.entries(nodeSettings).flatMap(([name, { kind }]) => {
  const { min, max } = kind.range ?? {};
  return [min, max].flatMap((edge) =>
    edge === undefined || edge === Infinity ? [] : [[name, `${edge}`, kind] as const],
  );
});

describe('what is allowed is allowed: a node serves at both ends of every range', () => {
  test.each(ranged)('--%s %s', async (name, edge, kind) => {
    const isDuration = kind.label === '<duration>';
    expect(await serves({ [name]: isDuration && edge !== '0' ? `${edge}ms` : edge })).toBe(
      '+PONG\r\n',
    );
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
