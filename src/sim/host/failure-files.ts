/** Failures on disk: written where they were found, read when they are replayed or shrunk. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { failureFile, parseFailureFile, ScenarioFileError } from '../scenario-file.ts';
import type { FailureFile } from '../scenario-file.ts';
import type { World } from '../world.ts';
import { WORLDS } from '../worlds.ts';

/** @returns the path, `failure-<oracle>-<hash8>.json` in `directory` */
export function writeFailure(
  directory: string,
  scenario: Scenario,
  result: RunResult,
  cachectl: string,
): string {
  const { failure, traceHash } = result;
  if (failure === undefined) throw new Error('the run has not failed');
  const { oracle, sentence, timeUs } = failure;
  const versions = { cachectl, commit: commit(), node: process.version };
  const content = failureFile({ oracle, sentence, timeUs, traceHash, versions, scenario });
  const path = join(
    directory,
    `failure-${oracle.replaceAll(' ', '-')}-${traceHash.slice(0, 8)}.json`,
  );
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`);
  return path;
}

/** @throws {ScenarioFileError} */
export function readFailure(path: string): {
  readonly failure: FailureFile;
  readonly world: World;
} {
  return parseFailureFile(readText(path), path, WORLDS);
}

/** @throws {ScenarioFileError} when it cannot be read */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ScenarioFileError(path, undefined, '', `cannot be read: ${words}`);
  }
}

/** Of the sources that run, where they are a checkout. */
function commit(): string {
  if (!import.meta.filename.endsWith('.ts')) return 'unknown';
  const run = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname });
  return run.status === 0 ? run.stdout.toString().trim() : 'unknown';
}
