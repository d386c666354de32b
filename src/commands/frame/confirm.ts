import { Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';

export const yesFlag = Flags.boolean({ char: 'y', summary: 'Do not ask: it is meant.' });

/**
 * Asks before something is destroyed. `--yes` answers; where nobody can be asked, the operation is
 * refused with exit code 7.
 */
export async function confirmOrRefuse(question: string, flags: { yes: boolean }): Promise<void> {
  if (flags.yes) return;
  if (!canPrompt()) {
    const message = `${question} Nobody can be asked here, so nothing was done`;
    throw new CachectlError('ERR_CACHECTL_REFUSED', message, { hint: 'Give --yes to confirm.' });
  }
  const { confirm } = await import('@inquirer/prompts');
  // The question goes to stderr: stdout is for data.
  const agreed = await confirm({ message: question, default: false }, { output: process.stderr });
  if (!agreed)
    throw new CachectlError('ERR_CACHECTL_REFUSED', 'not confirmed, so nothing was done');
}

/** Whether there is somebody to ask. */
export function canPrompt(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY && process.env['CI'] === undefined;
}
