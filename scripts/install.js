import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');

/** Where the Node that comes with the project is, once packages are installed. */
export const projectNode = join(
  modules,
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
);

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
  return existsSync(projectNode) ? undefined : `${projectNode} is missing`;
}

/** Runs `npm ci` where packages are missing or differ from the lockfile. Ends the process if it fails. */
export function installPackages() {
  const reason = staleness();
  if (reason === undefined) return;
  // A linked node_modules belongs to another checkout, which has to be brought up to date itself.
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    console.error(`cachectl: ${reason}; node_modules is a link, so it is left alone`);
    return;
  }
  console.error(`cachectl: ${reason}; running npm ci`);
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
