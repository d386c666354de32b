import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
let project: string;

/**
 * Lints planted files, one a source, with the project's own rules.
 *
 * @returns for each source, the architecture rules that refused it.
 */
function lint(files: ReadonlyArray<readonly [folder: string, source: string, name?: string]>) {
  const paths = files.map(([folder, source, name = 'planted.ts'], index) => {
    const path = join(folder, name.replace('.', `-${index}.`));
    mkdirSync(join(project, folder), { recursive: true });
    writeFileSync(join(project, path), source);
    return path;
  });
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const run = spawnSync(process.execPath, [oxlint, '--format', 'json', ...paths], {
    cwd: project,
    encoding: 'utf8',
  });
  for (const path of paths) rmSync(join(project, path));
  const report = JSON.parse(run.stdout) as {
    diagnostics: Array<{ code: string; filename: string }>;
  };
  expect(run.status).toBe(report.diagnostics.length === 0 ? 0 : 1);
  return paths.map((path) =>
    report.diagnostics
      .filter(({ code, filename }) => filename === path && code.startsWith('architecture'))
      .map(({ code }) => code),
  );
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'cachectl-lint-'));
  const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as {
    jsPlugins: string[];
    options: Record<string, unknown>;
  };
  config.jsPlugins = config.jsPlugins.map((plugin) => join(root, plugin));
  config.options['typeAware'] = false;
  writeFileSync(join(project, '.oxlintrc.json'), JSON.stringify(config));
});

afterAll(() => {
  rmSync(project, { recursive: true });
});

const WORLDLY = [
  'export const at = Date.now();',
  'export const at = new Date();',
  'export const at = performance.now();',
  'export const at = globalThis.Date;',
  'setTimeout(() => undefined, 1);',
  'setInterval(() => undefined, 1);',
  'setImmediate(() => undefined);',
  'process.nextTick(() => undefined);',
  'export const draw = Math.random();',
  "export const draw = Math['random']();",
  "export const draw = Math['ran' + 'dom']();",
  'export const { random } = Math;',
  'export const maths = Math;',
  'export const id = crypto.randomUUID();',
  'export const ref = new WeakRef({});',
  'export const registry = new FinalizationRegistry(() => undefined);',
  'export const signal = AbortSignal.timeout(5);',
  "export const page = fetch('http://127.0.0.1');",
  'console.log(1);',
  'export const where = process.env.HOME;',
  "export const fs = require('node:fs');",
  "export { readFileSync } from 'node:fs';",
  "export * from 'node:net';",
  "import { connect } from 'net';\nconnect(1);",
  "import type { Socket } from 'node:net';\nexport type S = Socket;",
  "export type S = import('node:net').Socket;",
  "export const later = import('node:timers');",
  "import { randomBytes } from 'node:crypto';\nexport const b = randomBytes(4);",
  "import { createHash, randomInt } from 'node:crypto';\nexport const c = [createHash, randomInt];",
  "import * as crypto from 'node:crypto';\nexport const c = crypto;",
  "import 'node:worker_threads';",
  "import { createRequire } from 'node:module';\nexport const r = createRequire('/');",
  "import pino from 'pino';\nexport const log = pino();",
  "import { NodeRuntime } from '../runtime/node/index.ts';\nexport const r = NodeRuntime;",
];

describe('the seam', () => {
  test('refuses every way to the world in a core', () => {
    const refusals = lint(WORLDLY.map((source) => ['src/raft', source]));
    const letThrough = WORLDLY.filter((_, at) => !refusals[at].includes('architecture(seam)'));
    expect(letThrough).toEqual([]);
  });

  test('leaves adapters, commands, tests, benchmarks and scripts free', () => {
    const source = "import { connect } from 'node:net';\nconnect(Math.random() * Date.now());";
    const folders = ['src/runtime/node', 'src/commands', 'bench', 'scripts', 'test'];
    const refusals = lint([
      ...folders.map((folder) => [folder, source] as const),
      ['src/raft', source, 'planted.test.ts'],
    ]);
    expect(refusals).toEqual(refusals.map(() => []));
  });

  test('lets a core compute', () => {
    const source = `
      import { createHash } from 'node:crypto';
      import type { Runtime } from '../runtime/index.ts';
      interface Date { day: number }
      export function performance(runtime: Runtime, process: string): Promise<Date> {
        const setTimeout = runtime.timers.after;
        setTimeout(Math.max(1, process.length), () => undefined);
        const day = createHash('sha1').update(new Uint8Array(4)).digest().length;
        return Promise.resolve({ day });
      }`;
    expect(lint([['src/raft', source]])).toEqual([[]]);
  });
});

describe('the floors', () => {
  test.each([
    ['runtime', ['resp', 'engine', 'cluster', 'node']],
    ['resp', ['engine', 'raft', 'cluster', 'node']],
    ['engine', ['resp', 'raft', 'cluster', 'node']],
    ['cluster', ['resp', 'engine', 'raft', 'meta', 'sdk']],
    ['raft', ['engine', 'cluster', 'meta', 'sim']],
    ['meta', ['node', 'sdk', 'observe', 'proxy', 'sim']],
    ['node', ['meta', 'sdk', 'observe', 'proxy', 'sim']],
    ['sdk', ['meta', 'node', 'observe', 'proxy', 'sim']],
    ['observe', ['meta', 'node', 'sdk', 'proxy', 'sim']],
    ['proxy', ['sim', 'commands']],
    ['sim', ['commands']],
  ])('src/%s may not import %j', (from, targets) => {
    const sources = targets.flatMap((to) => [
      `import { a } from '../${to}/index.ts';\nexport const b = a;`,
      `import type { A } from '../../src/${to}/index.ts';\nexport type B = A;`,
      `export * from '../${to}/a.ts';`,
      `export const a = import('../${to}/a.ts');`,
    ]);
    const refusals = lint(sources.map((source) => [`src/${from}`, source]));
    expect(sources.filter((_, at) => !refusals[at].includes('architecture(floors)'))).toEqual([]);
  });

  test('imports run down', () => {
    const down = [
      ['resp', 'runtime'],
      ['raft', 'resp'],
      ['node', 'engine'],
      ['sdk', 'cluster'],
      ['proxy', 'sdk'],
      ['sim', 'node'],
      ['commands', 'sim'],
    ];
    const refusals = lint(
      down.map(([from, to]) => [
        `src/${from}`,
        `import { a } from '../${to}/index.ts';\nexport const b = a;`,
      ]),
    );
    expect(refusals).toEqual(down.map(() => []));
  });

  test('a folder inside another may bear the name of a floor', () => {
    const source = "import { a } from './node/a.ts';\nexport const b = a;";
    expect(lint([['src/raft', source]])).toEqual([[]]);
  });

  test.each([
    ['a folder without a floor', 'src/misc', 'export const a = 1;'],
    ['what is outside src', 'src/node', "export * from '../../bench/a.ts';"],
    ['a test', 'src/node', "export * from './a.test.ts';"],
    ['the package itself', 'src/commands', "export * from 'cachectl';"],
    ['a computed module', 'src/commands', 'export const a = (b: string) => import(b);'],
  ])('refuse %s', (_what, folder, source) => {
    expect(lint([[folder, source]])).toEqual([['architecture(floors)']]);
  });
});
