import { type CacheOptions, DEFAULTS } from '../../src/sdk/index.ts';

/** Every option, since the compiler asks for all of them. */
const MEANINGS: Readonly<Record<keyof CacheOptions, string>> = {
  seeds: '`host:port` of some nodes. One that answers is enough: it tells of the others.',
  tenant: 'Who the keys belong to. Needs `secret`.',
  secret: 'Of the tenant, or of the default one where none is given.',
  timeout: 'Of a call as a whole, redirections and connecting included.',
  connectTimeout: 'Of connecting to a node, and of `connect` as a whole.',
  onReadError:
    "What comes of a read that fails: `'miss'` answers as for a missing key, `'throw'` with the error.",
  callsPerNodeMax: 'Calls under way to one node at most; one more is refused at once.',
};

export function sdkPage(): string {
  const defaults = new Map<string, unknown>(Object.entries(DEFAULTS));
  const rows = Object.entries(MEANINGS).map(([name, meaning]) => {
    const value = defaults.get(name);
    return `| \`${name}\` | ${value === undefined ? '' : `\`${JSON.stringify(value)}\``} | ${meaning} |`;
  });
  return `<!-- Made by \`npm run docs\` from src/sdk and scripts/docs/sdk.ts. -->

# The client for services

\`\`\`ts
import { connect } from 'cachectl';

await using cache = await connect({ seeds: ['127.0.0.1:7400'] });

await cache.set('greeting', 'hello', { ttl: '10m' });
const bytes = await cache.get('greeting'); // Uint8Array, or undefined where the key is missing
await cache.incr('visits');
\`\`\`

| call | resolves to |
|---|---|
| \`get(key)\` | the value's bytes, or \`undefined\` |
| \`getMany(keys)\` | one of these for each key, in their order |
| \`set(key, value, { ttl, onlyIf })\` | whether it was stored; \`onlyIf\` is \`'absent'\` or \`'present'\` |
| \`setMany(entries, { ttl })\` | nothing; it is not atomic |
| \`delete(key)\` | whether the key was there |
| \`incr(key, { by })\` | the sum |
| \`ttl(key)\` | milliseconds, \`Infinity\` for a key without an end, \`undefined\` for a missing key |
| \`stats()\` | counts of calls, failures, failed reads that were answered as a miss, and redirections; at once, not a promise |
| \`close()\` | nothing, when the calls under way are settled; also by \`await using\` |

Keys and values are text, sent in UTF-8, or bytes. A duration is a number of milliseconds or a text with its unit, such as \`'250ms'\` or \`'10m'\`. Each call takes a \`timeout\` of its own.

## Options of \`connect\`

| option | default | meaning |
|---|---|---|
${rows.join('\n')}

## When something fails

Every error is a \`CachectlError\` with a \`code\` of [errors](errors.md). A call is settled within its timeout, whatever the network does. After \`ERR_CACHECTL_TIMEOUT\` and \`ERR_CACHECTL_CONNECT\` a write may have been carried out all the same.

Cache trouble is a miss: \`get\` and \`getMany\` answer \`undefined\` where the node is not reached, does not answer in time, has too much to do, or answers an error. \`stats().readsFailedAsMiss\` counts them. \`onReadError: 'throw'\` turns that off. Mistakes, such as a wrong secret or an option that is not allowed, are always errors.

Nothing waits for a node that is gone: while it cannot be reached its calls fail at once, tries to reach it are spaced out up to two seconds, and the map of slots is read anew from the other nodes.
`;
}
