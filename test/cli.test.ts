import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Runs the command as a shell would, with neither a terminal nor colours asked for. */
function cachectl(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const run = spawnSync(process.execPath, [join(root, 'bin/cachectl.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  return { exit: run.status, out: run.stdout, words: run.stderr };
}

describe('help', () => {
  test('of a command begins with its examples', () => {
    const { exit, out } = cachectl(['version', '--help']);
    expect(exit).toBe(0);
    expect(out.indexOf('EXAMPLES')).toBeGreaterThan(0);
    expect(out.indexOf('EXAMPLES')).toBeLessThan(out.indexOf('USAGE'));
  });

  test('of the whole begins with examples, and has the exit codes', () => {
    const { out } = cachectl(['--help']);
    expect(out).toMatch(/^EXAMPLES\n {2}\$ cachectl dev /);
    expect(out).toMatch(/EXIT CODES\n {2}0 done · 1 failed · 2 /);
  });

  test.each([[['--help']], [['help']], [[]]])('is there for %j', (args) => {
    const { exit, out } = cachectl(args);
    expect(exit).toBe(0);
    expect(out).toContain('version');
  });
});

describe('output', () => {
  test('in JSON is the envelope, on stdout alone', () => {
    const { exit, out, words } = cachectl(['version', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      apiVersion: 'cachectl/v1',
      kind: 'Version',
      data: { node: process.version },
      warnings: [],
      error: null,
    });
    expect(words).toBe('');
    expect(exit).toBe(0);
    expect(cachectl(['version', '-o', 'json']).out).toBe(out);
    expect(cachectl(['version', '--output=json']).out).toBe(out);
  });

  test('to a reader that has seen enough is no failure', () => {
    const bin = join(root, 'bin/cachectl.js');
    const shell = `set -o pipefail; ${process.execPath} ${bin} --help | head -n 1`;
    const run = spawnSync('bash', ['-c', shell], { encoding: 'utf8' });
    expect(run.stdout).toBe('EXAMPLES\n');
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  });

  test('has no colour where there is no terminal, and obeys NO_COLOR and TERM=dumb where colour is forced on', () => {
    expect(cachectl(['nonsense']).words).not.toContain('\u001B');
    expect(cachectl(['nonsense'], { FORCE_COLOR: '1' }).words).toContain('\u001B');
    expect(cachectl(['nonsense'], { FORCE_COLOR: '1', NO_COLOR: '1' }).words).not.toContain(
      '\u001B',
    );
    expect(cachectl(['nonsense'], { FORCE_COLOR: '1', TERM: 'dumb' }).words).not.toContain(
      '\u001B',
    );
  });
});

describe('a mistake exits with 2, and says what is allowed', () => {
  test('an unknown command', () => {
    const { exit, out, words } = cachectl(['versoin']);
    expect(words).toBe("Error: 'versoin' is no command of cachectl\n  Did you mean 'version'?\n");
    expect(out).toBe('');
    expect(exit).toBe(2);
  });

  test.each([
    [['version', '--colour'], 'Nonexistent flag: --colour'],
    [['version', 'extra'], 'Unexpected argument: extra'],
    [['version', '-o', 'xml'], 'Expected --output=xml to be one of: table, wide, json, yaml, name'],
    [['version', '-o'], 'Flag --output expects one of these values'],
    [
      ['version', '-o', 'json', '--json'],
      '--output=json cannot also be provided when using --json',
    ],
  ])('%j', (args, message) => {
    const { exit, words } = cachectl(args);
    expect(words).toContain(message);
    expect(words).toContain('See: cachectl version --help');
    expect(words).not.toContain('    at ');
    expect(exit).toBe(2);
  });

  test('in JSON the error has the envelope too', () => {
    const { exit, out, words } = cachectl(['version', '--colour', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      kind: 'Error',
      data: null,
      error: { code: 'ERR_CACHECTL_USAGE', message: 'Nonexistent flag: --colour' },
    });
    expect(words).toContain('Error: Nonexistent flag: --colour');
    expect(exit).toBe(2);
  });
});
