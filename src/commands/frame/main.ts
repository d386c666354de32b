/**
 * The command line's frame: what all commands share, so that each of them only parses its words,
 * calls a library, and prints.
 *
 * It guarantees one form of output (`output.ts`), one way to fail (`failure.ts`) with the exit
 * codes of `cluster/errors.ts`, and one way to give settings (`kinds.ts`, `settings.ts`,
 * `flags.ts`). Read `base-command.ts` first; then a command, such as `../version.ts`; then
 * `manifest.ts` for how oclif finds it, and `until-stopped.ts` for commands that serve.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Errors, run, settings, type Interfaces } from '@oclif/core';
import { describeError, toCachectlError } from './failure.ts';
import { manifestIsStale, writeManifest } from './manifest.ts';

const base = join(import.meta.dirname, '../..');
const isCheckout = import.meta.filename.endsWith('.ts');

/** Runs one command line, and sets or ends with its exit code. */
export async function main(argv: string[]): Promise<void> {
  // Node strips the types itself.
  settings.enableAutoTranspile = false;
  try {
    const pjson = describePackage();
    if (isCheckout && manifestIsStale(base)) await writeManifest(base, pjson);
    await run(argv, { root: base, pjson });
  } catch (thrown) {
    if (thrown instanceof Errors.ExitError) process.exit(thrown.oclif.exit ?? 1);
    const error = toCachectlError(thrown);
    process.stderr.write(describeError(error));
    process.exit(error.exitCode);
  }
}

/** What oclif has to know. */
export function describePackage(): Interfaces.PJSON {
  const text = readFileSync(join(dirname(base), 'package.json'), 'utf8');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own package.json
  const pjson = JSON.parse(text) as Interfaces.PJSON;
  return {
    ...pjson,
    oclif: {
      bin: 'cachectl',
      dirname: 'cachectl',
      topicSeparator: ' ',
      commands: {
        strategy: 'pattern',
        target: './commands',
        globPatterns: ['**/*.{js,ts}', '!**/*.{d.ts,test.ts,test.js}', '!frame/**'],
      },
      helpClass: './commands/frame/help',
      hooks: { command_not_found: './commands/frame/not-found' },
      plugins: ['@oclif/plugin-help', '@oclif/plugin-autocomplete'],
      exitCodes: {
        default: 1,
        failedFlagParsing: 2,
        failedFlagValidation: 2,
        violatedFlagConstraint: 2,
        invalidArgsSpec: 2,
        nonExistentFlag: 2,
        requiredArgs: 2,
        unexpectedArgs: 2,
      },
      topics: {
        config: { description: 'Settings of nodes: documents with versions, rolled out in waves.' },
        context: { description: 'Clusters by name, and which is in use.' },
        event: { description: 'The audit log.' },
        kv: { description: 'Read and write single keys.' },
        meta: { description: 'Metadata peers, which keep what the cluster is.' },
        'meta:snapshot': { description: 'All metadata in a file, and a new cluster from it.' },
        move: { description: 'Moves of shards that are under way.' },
        namespace: { description: 'Key spaces of a tenant.' },
        node: { description: 'Cache nodes.' },
        receipt: { description: 'What failovers and switches may have cost.' },
        rollout: { description: 'How far config documents have come.' },
        shard: { description: 'Shards: slots, and who holds them.' },
        sim: { description: 'The simulator.' },
        tenant: { description: 'Tenants: quotas, policies, secrets.' },
      },
    },
  };
}
