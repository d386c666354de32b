/**
 * `node scripts/bootstrap.js FILE ARGUMENTS…` runs FILE on the Node that comes with the project.
 *
 * It is what every npm script starts, also as the first command on a fresh clone: any Node from 18
 * on runs this file, packages are installed where they are missing or differ from the lockfile,
 * and FILE then runs on the Node of the package `node`. Says on stderr what it does.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/**
 * @param {string} lockfile
 * @returns {Record<string, { version: string, integrity?: string, optional?: boolean }>}
 */
const packagesOf = (lockfile) => JSON.parse(readFileSync(lockfile, 'utf8')).packages;

/** Why packages have to be installed, or undefined where all are as the lockfile says. */
function staleness() {
  const installed = join(modules, '.package-lock.json');
  if (!existsSync(installed)) return 'node_modules is missing';
  const have = packagesOf(installed);
  const want = packagesOf(join(root, 'package-lock.json'));
  for (const [path, { version, integrity, optional }] of Object.entries(want)) {
    if (path === '') continue;
    if (have[path] === undefined && optional) continue;
    if (have[path]?.version !== version || have[path]?.integrity !== integrity) {
      return `${path} is not as in package-lock.json`;
    }
  }
  return existsSync(node) ? undefined : `${node} is missing`;
}

/** @param {string} why */
function install(why) {
  console.error(`cachectl: ${why}; running npm ci`);
  const run = spawnSync('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  const after = run.status === 0 ? staleness() : `npm ci ended with ${run.error ?? run.status}`;
  if (after === undefined) return;
  console.error(`cachectl: cannot go on: ${after}`);
  process.exit(1);
}

const reason = staleness();
if (reason !== undefined) {
  // A linked node_modules belongs to another checkout, which has to be brought up to date itself.
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    console.error(`cachectl: ${reason}; node_modules is a link, so it is left alone`);
  } else {
    install(reason);
  }
}

const path = `${join(modules, '.bin')}${process.platform === 'win32' ? ';' : ':'}${process.env['PATH']}`;
const child = spawn(node, process.argv.slice(2), {
  stdio: 'inherit',
  env: { ...process.env, PATH: path },
});
// Ctrl-C reaches the child by itself; a signal sent to this process alone is handed on.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => {
  console.error(`cachectl: cannot start ${node}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1));
});
