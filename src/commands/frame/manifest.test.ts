import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manifestIsStale } from './manifest.ts';

let base: string;
const command = () => join(base, 'commands', 'get.ts');
const manifest = () => join(base, 'oclif.manifest.json');

function touch(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'cachectl-manifest-'));
  mkdirSync(join(base, 'commands'));
  writeFileSync(command(), '');
  writeFileSync(manifest(), '{}');
  touch(command(), 1000);
  touch(join(base, 'commands'), 1000);
  touch(manifest(), 2000);
});

afterEach(() => {
  rmSync(base, { recursive: true });
});

describe('the list of commands is made anew', () => {
  test('not while nothing has changed', () => {
    expect(manifestIsStale(base)).toBe(false);
  });

  test('when there is none', () => {
    rmSync(manifest());
    expect(manifestIsStale(base)).toBe(true);
  });

  test('when a source is newer, and not for another file', () => {
    writeFileSync(join(base, 'commands', 'notes.md'), '');
    touch(join(base, 'commands'), 1000);
    expect(manifestIsStale(base)).toBe(false);
    touch(command(), 3000);
    expect(manifestIsStale(base)).toBe(true);
  });

  test('when a source has come or gone', () => {
    rmSync(command());
    expect(manifestIsStale(base)).toBe(true);
  });
});
