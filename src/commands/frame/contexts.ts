/**
 * Contexts: clusters by name, so that commands need not be told each time where the meta peers are.
 * One small file of the user's, which only they can read, since it may hold tokens.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CachectlError } from '../../cluster/errors.ts';
import { suggest } from '../../cluster/suggest.ts';

export interface Context {
  /** `host:port`, comma-separated. */
  readonly meta: string;
  readonly token?: string;
}

export interface Contexts {
  /** The one in use. */
  readonly current: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

const EMPTY: Contexts = { current: undefined, contexts: {} };

function contextsPath(environment: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CONFIG_HOME: base = '' } = environment;
  // One that is empty counts as none.
  return join(base === '' ? join(homedir(), '.config') : base, 'cachectl', 'contexts.json');
}

/** @throws {CachectlError} `ERR_CACHECTL_CONFIG_FILE` */
export function readContexts(path = contextsPath()): Contexts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return EMPTY;
    throw damaged(path, cause);
  }
  try {
    return contextsOf(JSON.parse(text));
  } catch (cause) {
    throw damaged(path, cause);
  }
}

export function writeContexts(contexts: Contexts, path = contextsPath()): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(contexts, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, path);
}

function contextsOf(json: unknown): Contexts {
  if (!isObject(json) || !isObject(json['contexts'])) throw new Error('no contexts in it');
  const { current } = json;
  const contexts = Object.entries(json['contexts']).map(([name, context]) => {
    if (!isObject(context)) throw new Error(`context '${name}' is not an object`);
    const { meta, token } = context;
    if (typeof meta !== 'string') throw new Error(`context '${name}' has no meta`);
    return [name, { meta, ...(typeof token === 'string' ? { token } : {}) }] as const;
  });
  return {
    current: typeof current === 'string' ? current : undefined,
    contexts: Object.fromEntries(contexts),
  };
}

function damaged(path: string, cause: unknown): CachectlError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CachectlError('ERR_CACHECTL_CONFIG_FILE', `${path}: ${reason}`, {
    hint: 'Correct the file, or remove it and add your contexts anew.',
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function noContext(name: string, known: Contexts['contexts']): CachectlError {
  const near = suggest(name, Object.keys(known));
  const hint = near === undefined ? 'See: cachectl context list' : `Did you mean '${near}'?`;
  return new CachectlError('ERR_CACHECTL_NOT_FOUND', `no context '${name}'`, { hint });
}
