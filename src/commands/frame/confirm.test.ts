import { expect, test } from 'vitest';
import { confirmOrRefuse } from './confirm.ts';

test('--yes answers without a prompt', async () => {
  await expect(confirmOrRefuse('Remove all?', { yes: true })).resolves.toBeUndefined();
});

test('where nobody can be asked it is refused, with exit code 7 and the way out', async () => {
  await expect(confirmOrRefuse('Remove all?', { yes: false })).rejects.toMatchObject({
    code: 'ERR_CACHECTL_REFUSED',
    exitCode: 7,
    message: 'Remove all? Nobody can be asked here, so nothing was done',
    hint: 'Give --yes to confirm.',
  });
});
