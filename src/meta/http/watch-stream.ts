/** Changes of records as server-sent events, from what reaches this peer. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asRevision, CachectlError, METADATA_KEYS, type Revision } from '../../cluster/index.ts';
import type { MetadataStore, WatchEvent } from '../store/index.ts';

/** A client that leaves so much unread is let go: it can go on from where it was. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;
/** Proxies end connections on which nothing is said. */
const KEEP_ALIVE_MS = 15_000;

/** @throws {CachectlError} `ERR_CACHECTL_VALUE` */
export function streamChanges(
  store: MetadataStore,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { prefix, from } = startOf(store, request);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const write = (text: string) => {
    raw.write(text);
    if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
  };
  write(`: changes after revision ${from}\n\n`);
  const watch = store.watch(prefix, from, {
    onEvents: (_revision, events) => {
      write(events.map((event, index) => eventText(event, events[index + 1])).join(''));
    },
    onCompacted: (compactRevision) => {
      raw.end(`event: compacted\ndata: ${JSON.stringify({ compactRevision })}\n\n`);
    },
  });
  const keepAlive = setInterval(() => write(': still here\n\n'), KEEP_ALIVE_MS);
  raw.on('close', () => {
    clearInterval(keepAlive);
    watch.cancel();
  });
}

function startOf(
  store: MetadataStore,
  { query, headers }: FastifyRequest,
): { prefix: string; from: Revision } {
  const fields = new Map<string, string>();
  const given: ReadonlyArray<[string, unknown]> = Object.entries(query ?? {});
  for (const [name, value] of given) {
    if ((name !== 'prefix' && name !== 'from') || typeof value !== 'string') {
      const words = `the query takes prefix and from, each once, and not ${name}`;
      throw new CachectlError('ERR_CACHECTL_VALUE', words);
    }
    fields.set(name, value);
  }
  const prefix = fields.get('prefix') ?? '';
  const { 'last-event-id': last } = headers;
  const text = typeof last === 'string' ? last : fields.get('from');
  if (text === undefined) return { prefix, from: store.view().revision };
  if (/^\d{1,15}$/.test(text)) return { prefix, from: asRevision(Number(text)) };
  throw new CachectlError('ERR_CACHECTL_VALUE', `from is '${text}', which is not a revision`);
}

/**
 * The id comes with the last event of its revision only: whoever goes on after it has seen the whole
 * of the revision.
 */
function eventText(event: WatchEvent, next: WatchEvent | undefined): string {
  const { kind, key, modRevision: revision } = event;
  const value = kind === 'put' ? { value: shown(key, JSON.parse(event.value)) } : {};
  const id = next?.modRevision === revision ? '' : `id: ${revision}\n`;
  return `${id}event: ${kind}\ndata: ${JSON.stringify({ revision, kind, key, ...value })}\n\n`;
}

/** Hashes of secrets are for nodes alone. */
function shown(key: string, value: unknown): unknown {
  if (!key.startsWith(METADATA_KEYS.tenants) || typeof value !== 'object') return value;
  return { ...value, secretHash: undefined };
}
