/**
 * What the commands share that administer a cluster: where it is, how it is asked, and how its
 * warnings are shown.
 *
 * Light on purpose: `status` is to be there in the blink of an eye, so nothing is imported here
 * that takes long, and the operations' schemas are types alone.
 */
import { userInfo } from 'node:os';
import { CachectlError } from '../../cluster/errors.ts';
import type { OperationInput, OperationName, OperationOutput } from '../../meta/admin/index.ts';
import { RpcClient, type RpcOutcome } from '../../rpc/index.ts';
import type { Address } from '../../runtime/index.ts';
import { clock, timers } from '../../runtime/node/clock.ts';
import { network } from '../../runtime/node/network.ts';
import { random } from '../../runtime/node/random.ts';
import { BaseCommand, outputFlags } from './base-command.ts';
import { readContexts } from './contexts.ts';
import { address, duration, word, type Kind } from './kinds.ts';
import { withProgress } from './progress.ts';
import { flagsOf, readSettings, setting, type Values } from './settings.ts';

export const addresses: Kind<readonly Address[]> = {
  label: '<host:port,…>',
  form: `${address.form}, or several of them with commas between`,
  parse: (text) => {
    const parts = text.split(',').map((part) => address.parse(part));
    const known = parts.filter((part) => part !== undefined);
    return known.length === parts.length ? known : undefined;
  },
  format: (value) => value.map((one) => address.format(one)).join(','),
};

const DEFAULT_META = '127.0.0.1:7500';

const adminSettings = {
  meta: setting(
    addresses,
    undefined,
    `The meta peers of the cluster; else those of the context in use, else ${DEFAULT_META}.`,
  ),
  timeout: setting(duration({ min: 1 }), 5000, 'For each call, connecting included.'),
  'admin-token': {
    ...setting(word('1 to 512 visible characters', /^[!-~]{1,512}$/), undefined, 'For AUTH.'),
    secret: true,
  },
};

export const adminFlags = {
  ...flagsOf({
    meta: { ...adminSettings.meta, group: 'GLOBAL' },
    timeout: { ...adminSettings.timeout, group: 'GLOBAL' },
  }),
  ...outputFlags,
};

type Flags = Readonly<Record<string, unknown>>;

interface Target {
  readonly addresses: readonly Address[];
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

export abstract class AdminCommand extends BaseCommand {
  #client: RpcClient | undefined;

  /**
   * Has an operation carried out by the peer that leads.
   *
   * @throws {CachectlError}
   */
  protected async ask<Name extends OperationName>(
    flags: Flags,
    name: Name,
    input: OperationInput<Name>,
  ): Promise<OperationOutput<Name>> {
    const target = targetOf(flags);
    const client = (this.#client ??= new RpcClient(
      { clock, timers, network, random },
      {
        addresses: target.addresses,
        token: target.token,
        connectTimeoutMs: Math.min(2000, target.timeoutMs),
      },
    ));
    const isRead = /\.(?:status|settings|list|show|get|history|diff|plan|peers|snapshot)$/.test(
      name,
    );
    const body = isRead ? input : { actor: userInfo().username, ...input };
    const outcome = await withProgress(
      `waiting for the meta peers (${addresses.format(target.addresses)})`,
      () =>
        new Promise<RpcOutcome>((resolve) => {
          client.call(name, body, target.timeoutMs, resolve, { isIdempotent: isRead });
        }),
    );
    if (!outcome.ok) {
      const command = `${this.config.bin} ${(this.id ?? '').replaceAll(':', ' ')}`;
      throw withHint(outcome.error, target, command);
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one table
    const answer = outcome.body as OperationOutput<Name>;
    if (typeof answer === 'object' && 'warnings' in answer) {
      for (const words of answer.warnings) this.warn(words);
    }
    return answer;
  }

  protected override async finally(failure: Error | undefined): Promise<void> {
    this.#client?.close();
    await super.finally(failure);
  }
}

/** A flag wins over the environment, and that over the context in use. */
function targetOf(flags: Flags): Target {
  const sources = { flags, environment: process.env, file: undefined };
  const values: Values<typeof adminSettings> = readSettings(adminSettings, sources);
  const timeoutMs = values.timeout ?? adminSettings.timeout.default;
  if (values.meta !== undefined) {
    return { addresses: values.meta, token: values['admin-token'], timeoutMs };
  }
  const { current, contexts } = readContexts();
  const context = current === undefined ? undefined : contexts[current];
  const meta = addresses.parse(context?.meta ?? DEFAULT_META);
  if (meta === undefined) {
    const words = `the context '${current ?? ''}' has the meta peers '${context?.meta ?? ''}', which is not ${addresses.form}`;
    throw new CachectlError('ERR_CACHECTL_CONFIG_FILE', words);
  }
  return { addresses: meta, token: values['admin-token'] ?? context?.token, timeoutMs };
}

function withHint(error: CachectlError, { addresses: asked }: Target, command: string) {
  const { code, details, cause } = error;
  // The API's own hint for values is for those who write its requests, but for a name meant.
  const isForHelp = code === 'ERR_CACHECTL_VALUE' && error.hint?.startsWith('Did you') !== true;
  const hint =
    code === 'ERR_CACHECTL_AUTH'
      ? 'Give the token as CACHECTL_ADMIN_TOKEN.'
      : isForHelp
        ? `See: ${command} --help`
        : (error.hint ?? own(code, asked));
  return new CachectlError(code, error.message, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
  });
}

function own(code: string, asked: readonly Address[]): string | undefined {
  if (code !== 'ERR_CACHECTL_CONNECT' && code !== 'ERR_CACHECTL_TIMEOUT') return undefined;
  const how = 'Name the meta peers with --meta, CACHECTL_META or a context';
  return `Asked: ${addresses.format(asked)}. ${how}; for a cluster to try: cachectl dev`;
}
