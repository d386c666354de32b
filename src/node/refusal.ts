/** Why a request is not carried out as it is, or which subcommand it means. */
import { latin1, untilNul, type Call } from './call.ts';
import type { Command } from './command.ts';
import type { CacheNode } from './node.ts';

const NAME_SHOWN_MAX = 128;

/**
 * The command of a request that is not plainly allowed: resolves a subcommand, else replies with
 * the error that Redis gives, or holds the client back while clients are paused.
 *
 * @returns undefined where the request must not be carried out now
 */
export function refusalOf(
  node: CacheNode,
  call: Call,
  container: Command | undefined,
): Command | undefined {
  const command = container === undefined ? undefined : subcommandOf(call, container);
  if (container === undefined || command === undefined) {
    call.fail(container === undefined ? unknownCommand(call) : unknownSubcommand(call, container));
    return undefined;
  }
  if (!command.takes(call.count)) {
    command.rejected++;
    call.fail(`ERR wrong number of arguments for '${command.fullName}' command`);
    return undefined;
  }
  if (!call.session.authenticated && command.needsAuth) {
    command.rejected++;
    call.fail('NOAUTH Authentication required.');
    return undefined;
  }
  if (node.isPausedFor(command)) {
    call.session.holdBack(call);
    return undefined;
  }
  return command;
}

function subcommandOf(call: Call, container: Command): Command | undefined {
  if (container.subcommands.size === 0 || (call.count < 2 && container.run !== undefined)) {
    return container;
  }
  return call.count < 2 ? container : container.subcommands.get(call.word(1));
}

function unknownCommand(call: Call): string {
  const name = shownText(call.text(0));
  let shown = '';
  for (let i = 1; i < call.count && shown.length < NAME_SHOWN_MAX; i++) {
    const lengthMax = NAME_SHOWN_MAX - shown.length;
    const start = call.starts[i];
    const end = Math.min(call.ends[i], start + lengthMax);
    shown += `'${shownText(latin1(call.bytes, start, end))}' `;
  }
  return `ERR unknown command '${name}', with args beginning with: ${shown}`;
}

function unknownSubcommand(call: Call, container: Command): string {
  const name = shownText(call.text(1));
  return `ERR unknown subcommand '${name}'. Try ${container.spec.name.toUpperCase()} HELP.`;
}

function shownText(text: string): string {
  return untilNul(text.slice(0, NAME_SHOWN_MAX));
}
