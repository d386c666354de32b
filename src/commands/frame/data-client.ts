/** How commands that read and write data reach a cache: the settings, and a client of the SDK. */
import { CachectlError } from '../../cluster/errors.ts';
import type { CacheClient } from '../../sdk/index.ts';
import { address, duration, word } from './kinds.ts';
import { type Values, readSettings, setting } from './settings.ts';

const visible = word('1 to 512 visible characters', /^[!-~]{1,512}$/);

export const clientSettings = {
  address: setting(address, { host: '127.0.0.1', port: 7400 }, 'A node of the cache.'),
  tenant: setting(visible, undefined, 'Who the keys belong to; its secret is CACHECTL_SECRET.'),
  secret: { ...setting(visible, undefined, 'For AUTH.'), secret: true },
};

export const callSettings = {
  ...clientSettings,
  timeout: setting(duration({ min: 1 }), 2_000, 'For connecting and the call, each.'),
};

/** @throws {CachectlError} `ERR_CACHECTL_VALUE` for a flag or variable that is not allowed. */
export function readCallSettings(
  flags: Readonly<Record<string, unknown>>,
): Values<typeof callSettings> {
  const sources = { flags, environment: process.env, file: undefined };
  const values = readSettings(callSettings, sources);
  if (values.tenant !== undefined && values.secret === undefined) {
    throw new CachectlError(
      'ERR_CACHECTL_VALUE',
      `--tenant is '${values.tenant}', without a secret`,
      {
        hint: 'Give the secret as CACHECTL_SECRET: flags of a process are seen by others.',
      },
    );
  }
  return values;
}

/** Does `use` with a client that fails rather than misses, and closes it. */
export async function withCache<T>(
  values: Values<typeof callSettings>,
  use: (cache: CacheClient) => Promise<T>,
): Promise<T> {
  const { connect } = await import('../../sdk/connect.ts');
  const { address: node = callSettings.address.default, tenant, secret } = values;
  const timeout = values.timeout ?? callSettings.timeout.default;
  try {
    await using cache = await connect({
      seeds: [address.format(node)],
      timeout,
      connectTimeout: timeout,
      onReadError: 'throw',
      ...(tenant === undefined ? {} : { tenant }),
      ...(secret === undefined ? {} : { secret }),
    });
    return await use(cache);
  } catch (error) {
    throw withHint(error);
  }
}

const HINTS: Readonly<Partial<Record<string, string>>> = {
  ERR_CACHECTL_CONNECT:
    'Start a node there with `cachectl node start`, or name another with --address or CACHECTL_ADDRESS.',
  ERR_CACHECTL_AUTH: 'Give the tenant with --tenant, and its secret as CACHECTL_SECRET.',
};

function withHint(error: unknown): unknown {
  if (!(error instanceof CachectlError)) return error;
  const hint = HINTS[error.code];
  if (hint === undefined) return error;
  return new CachectlError(error.code, error.message, { cause: error.cause, hint });
}

export function noKey(key: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_NOT_FOUND', `no key '${key}'`, {
    hint: 'It was never set, was deleted or evicted, or its time was up.',
  });
}
