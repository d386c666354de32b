/** `npm run build`: the package's `dist` from its sources, with the list of its commands. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);

// What was built describes itself, so that it is tried before it is shipped.
const manifest = spawnSync(
  process.execPath,
  [
    '--input-type=module',
    '--eval',
    `import { describePackage } from './commands/frame/main.js';
     import { writeManifest } from './commands/frame/manifest.js';
     await writeManifest(process.cwd(), describePackage());`,
  ],
  { cwd: dist, stdio: 'inherit' },
);
process.exit(manifest.status ?? 1);
