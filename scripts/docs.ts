/** `npm run docs` writes the pages of `docs/` that are made of the program's own tables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { adminApiPage } from './docs/admin-api.ts';
import { commandsPage } from './docs/commands.ts';
import { differencesPage } from './docs/differences.ts';
import { errorsPage } from './docs/errors.ts';
import { redisCommandsPage } from './docs/redis-commands.ts';
import { sdkPage } from './docs/sdk.ts';
import { settingsPage } from './docs/settings.ts';

const root = join(import.meta.dirname, '..');

/** Pages by their path in the repository. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const options = { ...(await resolveConfig(join(root, 'package.json'))), parser: 'markdown' };
  const pages = [
    ['docs/admin-api.md', adminApiPage()],
    ['docs/commands.md', await commandsPage()],
    ['docs/differences.md', differencesPage()],
    ['docs/errors.md', errorsPage()],
    ['docs/redis-commands.md', redisCommandsPage()],
    ['docs/sdk.md', sdkPage()],
    ['docs/settings.md', settingsPage()],
  ] as const;
  const formatted = pages.map(async ([path, text]) => [path, await format(text, options)] as const);
  return new Map(await Promise.all(formatted));
}

if (import.meta.main) {
  for (const [path, text] of await generatedPages()) writeFileSync(join(root, path), text);
}
