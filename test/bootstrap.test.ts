import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'cachectl-bootstrap-'));
  for (const path of ['bin', 'scripts', 'package.json']) {
    cpSync(join(root, path), join(checkout, path), { recursive: true });
  }
  const installed = join(root, 'node_modules/.package-lock.json');
  cpSync(installed, join(checkout, 'package-lock.json'));
  writeFileSync(join(checkout, 'program.js'), 'console.log(process.version)');
});

afterEach(() => {
  rmSync(checkout, { recursive: true });
});

function bootstrap(path = process.env['PATH'] ?? '') {
  const run = spawnSync(process.execPath, ['scripts/bootstrap.js', 'program.js'], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return { exit: run.status, out: run.stdout, words: run.stderr };
}

/** A program that stands first on the path under the name of npm. */
function pathWithNpm(script: string): string {
  const folder = join(checkout, 'path');
  mkdirSync(folder);
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\necho "npm $*"\n${script}\n`, { mode: 0o755 });
  return `${folder}${delimiter}${process.env['PATH']}`;
}

const projectVersion = () => {
  const manifest = readFileSync(join(root, 'node_modules/node/package.json'), 'utf8');
  return `v${(JSON.parse(manifest) as { version: string }).version}\n`;
};

describe('a script of the project', () => {
  test('runs on its Node at once where packages are as the lockfile says', () => {
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
    expect(bootstrap()).toEqual({ exit: 0, out: projectVersion(), words: '' });
  });

  test('installs what is missing first, with its words on stderr', () => {
    const { exit, out, words } = bootstrap(
      pathWithNpm(`ln -s ${join(root, 'node_modules')} node_modules`),
    );
    expect(words).toContain('node_modules is missing; running npm ci');
    expect(words).toContain('npm ci --loglevel=error');
    expect(out).toBe(projectVersion());
    expect(exit).toBe(0);
  });

  test('says why it cannot go on where the installation fails', () => {
    const { exit, out, words } = bootstrap(pathWithNpm('exit 3'));
    expect(words).toContain('cannot go on: npm ci ended with 3');
    expect(out).toBe('');
    expect(exit).toBe(1);
  });

  test('leaves a linked node_modules alone where it differs, and says so', () => {
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
    const lockfile = join(checkout, 'package-lock.json');
    const changed = readFileSync(lockfile, 'utf8').replace(
      /(?<name>"node_modules\/yaml": \{\s+"version": ")[^"]+/,
      '$<name>0.0.1',
    );
    writeFileSync(lockfile, changed);
    const { exit, out, words } = bootstrap(pathWithNpm('exit 3'));
    expect(words).toContain('node_modules/yaml is not as in package-lock.json');
    expect(words).not.toContain('npm ci');
    expect(out).toBe(projectVersion());
    expect(exit).toBe(0);
  });
});
