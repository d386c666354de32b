/** What is published works as it is installed: from `dist`, with its dependencies beside it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
let app: string;

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'cachectl-package-'));
  const modules = join(app, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  execFileSync('npm', ['pack', '--pack-destination', app], { cwd: root, stdio: 'pipe' });
  const archive = readdirSync(app).find((name) => name.endsWith('.tgz')) ?? '';
  execFileSync('tar', ['-xzf', archive], { cwd: app });
  execFileSync('mv', ['package', join('node_modules', 'cachectl')], { cwd: app });
}, 120_000);

afterAll(() => {
  rmSync(app, { recursive: true });
});

function node(...args: readonly string[]): string {
  return execFileSync(process.execPath, args, { cwd: app, encoding: 'utf8' });
}

test('the command runs, and knows all its commands', () => {
  const bin = join('node_modules', 'cachectl', 'bin', 'cachectl.js');
  expect(node(bin, 'version')).toMatch(/^cachectl \d+\.\d+\.\d+ /);
  expect(node(bin, '--help')).toMatch(/^ {2}dev {2,}/m);
  expect(node(bin, 'node', 'start', '--help')).toContain('--memory=<size>');
});

test.each([
  ['cachectl', 'connect'],
  ['cachectl/sim', 'runScenario'],
])('%s exports %s', (name, member) => {
  const script = `console.log(typeof (await import('${name}'))['${member}'])`;
  expect(node('--input-type=module', '--eval', script)).toBe('function\n');
});

test('its types are there for a service', () => {
  const lines = [
    "import { connect } from 'cachectl';",
    "import { runScenario } from 'cachectl/sim';",
    "const cache = await connect({ seeds: ['127.0.0.1:7400'] });",
    "export const value: Uint8Array | undefined = await cache.get('key');",
    'export const mistaken: number = value;',
    'export const mistakenToo: number = runScenario;',
  ];
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(app, 'service.ts'), lines.join('\n'));
  const options = ['--strict', '--noEmit', '--target', 'es2024', '--types', 'node'];
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const run = spawnSync(
    process.execPath,
    [tsc, ...options, '--module', 'nodenext', '--lib', 'es2024,esnext.disposable', 'service.ts'],
    { cwd: app, encoding: 'utf8' },
  );
  const places = run.stdout.match(/^\S+\(\d+,\d+\): error \w+/gm);
  expect(places).toEqual(['service.ts(5,14): error TS2322', 'service.ts(6,14): error TS2322']);
});

test('only what is of use is published', () => {
  const folders = readdirSync(join(app, 'node_modules', 'cachectl')).toSorted();
  expect(folders).toEqual(
    ['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'docs', 'package.json'].toSorted(),
  );
});
