import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedPages } from './docs.ts';

test('the generated pages are as `npm run docs` writes them', async () => {
  for (const [path, text] of await generatedPages()) {
    expect(readFileSync(join(import.meta.dirname, '..', path), 'utf8'), path).toBe(text);
  }
});
