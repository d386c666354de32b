import type { Hook } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { suggest } from '../../cluster/suggest.ts';

/** Says which command was probably meant. Asks nothing: scripts mistype too. */
const hook: Hook.CommandNotFound = ({ id, config }) => {
  const words = (command: string) => command.replaceAll(':', ' ');
  const typed = words(id);
  const known = config.commands.filter(({ hidden }) => !hidden).map((command) => words(command.id));
  const command = known.find((name) => typed.startsWith(`${name} `));
  if (command !== undefined) {
    throw new CachectlError(
      'ERR_CACHECTL_USAGE',
      `Unexpected argument: ${typed.slice(command.length + 1)}`,
      { hint: `See: ${config.bin} ${command} --help` },
    );
  }
  const meant = suggest(typed, [...known, ...config.topics.map(({ name }) => words(name))]);
  const hint = meant === undefined ? `See: ${config.bin} --help` : `Did you mean '${meant}'?`;
  throw new CachectlError('ERR_CACHECTL_USAGE', `'${typed}' is no command of ${config.bin}`, {
    hint,
  });
};

export default hook;
