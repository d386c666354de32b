#!/usr/bin/env node
/**
 * The command. Runs here where this Node is new enough, and otherwise on the Node that comes as
 * the package `node`. A checkout runs from its sources, an installed package from `dist`.
 */
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './launch.js';

if (process.env['NO_COLOR'] || process.env['TERM'] === 'dumb') {
  // It would win over both.
  delete process.env['FORCE_COLOR'];
}

// oclif would load all of semver to compare Node's version, which is done below: a third of its start.
process.env['OCLIF_DISABLE_ENGINE_WARNING'] = 'true';

const NODE_MAJOR_MIN = 24;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'src', 'commands', 'frame', 'main.ts');

function findNode() {
  try {
    const manifest = module.createRequire(import.meta.url).resolve('node/package.json');
    const node = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

if (existsSync(sources) && !existsSync(join(root, 'node_modules'))) {
  const { installPackages } = await import('../scripts/install.js');
  installPackages();
}

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  module.enableCompileCache?.();
  const file = existsSync(sources) ? sources : join(root, 'dist', 'commands', 'frame', 'main.js');
  const { main } = await import(file);
  await main(process.argv.slice(2));
} else {
  const node = findNode();
  if (node === undefined) {
    console.error(
      `cachectl needs Node ${NODE_MAJOR_MIN} or newer. This is ${process.version} (${process.execPath}), ` +
        'and the package `node`, which brings a newer one along, is not installed.\n' +
        '  Install it with `npm ci` in a checkout or `npm install node` beside cachectl, or put a ' +
        'newer Node first on PATH.',
    );
    process.exit(1);
  }
  launch(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}
