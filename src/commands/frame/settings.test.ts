import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CachectlError } from '../../cluster/index.ts';
import { address, choice, count, duration, size, word } from './kinds.ts';
import { readSettings, setting } from './settings.ts';

const MB = 1024 * 1024;
const SETTINGS = {
  memory: setting(size({ min: MB }), 64 * MB, 'Memory.'),
  policy: setting(choice(['lru', 'lfu'] as const), 'lru', 'Policy.'),
  'idle-timeout': setting(duration({ max: 60_000 }), 0, 'Silence.'),
  'max-clients': setting(count({ min: 1, max: 9 }), 5, 'Clients.'),
  listen: setting(address, undefined, 'Address.'),
  secret: { ...setting(word('a word of letters', /^[a-z]+$/), undefined, 'Secret.'), secret: true },
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cachectl-settings-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function fileOf(text: string): string {
  const path = join(directory, 'cache.yaml');
  writeFileSync(path, text);
  return path;
}

const nothing = { flags: {}, environment: {}, file: undefined };

function refusal(sources: Partial<Parameters<typeof readSettings>[1]>): CachectlError {
  try {
    readSettings(SETTINGS, { ...nothing, ...sources });
  } catch (error) {
    if (error instanceof CachectlError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a flag wins over the environment, that over the file, and what is not given is left out', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), fc.boolean(), (asFlag, asVariable, inFile) => {
      const values = readSettings(SETTINGS, {
        flags: asFlag ? { memory: '3mb' } : {},
        environment: asVariable ? { CACHECTL_MEMORY: '2mb' } : {},
        file: fileOf(inFile ? 'memory: 1mb' : ''),
      });
      const winner = asFlag ? 3 : asVariable ? 2 : inFile ? 1 : undefined;
      expect(values).toEqual(winner === undefined ? {} : { memory: winner * MB });
    }),
  );
});

test('a secret of digits stays as it is written', () => {
  const digits = { ...SETTINGS.secret, kind: word('digits', /^\d+$/) };
  const file = fileOf('secret: 0123');
  expect(readSettings({ secret: digits }, { ...nothing, file })).toEqual({ secret: '0123' });
});

test('every kind reads from a file', () => {
  const file = fileOf(
    `# a node
memory: 1.5gb
policy: lfu
idle-timeout: 0
max-clients: 9
listen: "[::1]:7400"
secret: hunter`,
  );
  expect(readSettings(SETTINGS, { ...nothing, file })).toEqual({
    memory: 1536 * MB,
    policy: 'lfu',
    'idle-timeout': 0,
    'max-clients': 9,
    listen: { host: '::1', port: 7400 },
    secret: 'hunter',
  });
});

describe('a bad value is refused with its name, the value and what is allowed', () => {
  test.each([
    [{ memory: '64mib' }, /^--memory is '64mib', which is not a size .* of at least 1mb$/],
    [{ memory: '1023kb' }, /^--memory is '1023kb', which is not a size .* of at least 1mb$/],
    [{ policy: 'fifo' }, /^--policy is 'fifo', which is not one of lru, lfu$/],
    [{ 'idle-timeout': '10' }, /^--idle-timeout is '10', which is not a duration .* at most 1m$/],
    [{ 'idle-timeout': '61s' }, /^--idle-timeout is '61s'/],
    [{ 'max-clients': '1.5' }, /^--max-clients is '1.5', .* of at least 1 and at most 9$/],
    [{ 'max-clients': '10' }, /^--max-clients is '10'/],
    [{ 'max-clients': '' }, /^--max-clients is ''/],
    [{ listen: '7400' }, /^--listen is '7400', which is not host:port/],
  ])('%j', (flags, message) => {
    const error = refusal({ flags });
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_CACHECTL_VALUE');
    expect(error.exitCode).toBe(2);
  });

  test('from the environment', () => {
    const { message } = refusal({ environment: { CACHECTL_MAX_CLIENTS: 'many' } });
    expect(message).toMatch(/^CACHECTL_MAX_CLIENTS is 'many'/);
  });

  test('from a file, with its line', () => {
    const file = fileOf('policy: lru\n\nmax-clients: -1');
    expect(refusal({ file }).message).toMatch(/cache\.yaml:3: max-clients is '-1'/);
    const empty = fileOf('policy:');
    expect(refusal({ file: empty }).message).toMatch(/cache\.yaml:1: policy is '', which is not/);
  });

  test('but a secret is not repeated', () => {
    const { message } = refusal({ environment: { CACHECTL_SECRET: 's3cr3t' } });
    expect(message).toBe('CACHECTL_SECRET has a value that is not a word of letters');
  });

  test('also where the flag that wins is right', () => {
    const file = fileOf('memroy: 5mb');
    expect(refusal({ flags: { memory: '2mb' }, file }).message).toContain('memroy');
  });
});

describe('a file is refused', () => {
  test.each([
    ['an unknown setting', 'policy: lru\nmax-client: 5', /:2: unknown setting 'max-client'$/],
    ['a setting that objects have', 'constructor: 5', /unknown setting 'constructor'$/],
    ['a list', '- policy: lru', /:1: settings are lines/],
    ['a nested value', 'policy: { name: lru }', /a setting is a name and one value/],
    ['an alias', 'policy: *other', /a setting is a name and one value/],
    ['broken YAML', 'policy: lru\nmemory: "1mb', /:2: Missing closing "quote/],
    ['a setting given twice', 'policy: lru\npolicy: lfu', /:2: Map keys must be unique/],
  ])('with %s', (_what, text, message) => {
    const error = refusal({ file: fileOf(text) });
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_CACHECTL_CONFIG_FILE');
    expect(error.exitCode).toBe(2);
  });

  test('with a suggestion for a slip', () => {
    expect(refusal({ file: fileOf('max-client: 5') }).hint).toBe("Did you mean 'max-clients'?");
    expect(refusal({ file: fileOf('colour: red') }).hint).toMatch(/^Known: memory, policy/);
  });

  test('where it cannot be read', () => {
    expect(refusal({ file: join(directory, 'none.yaml') }).message).toMatch(/none\.yaml.*ENOENT/);
  });

  test('whatever is in it, nothing else happens', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const file = fileOf(text);
        try {
          expect(readSettings(SETTINGS, { ...nothing, file })).toEqual({});
        } catch (error) {
          expect(error).toBeInstanceOf(CachectlError);
        }
      }),
    );
  });
});
