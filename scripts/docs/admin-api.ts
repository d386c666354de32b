import { ERRORS } from '../../src/cluster/index.ts';
import { COMMON_ERRORS, OPERATIONS, type Operation } from '../../src/meta/admin/index.ts';
import { httpShapeOf } from '../../src/meta/admin/openapi.ts';

/** The reference of the admin API, of its one table of operations. */
export function adminApiPage(): string {
  const common = COMMON_ERRORS.map((code) => `\`${code}\` (${ERRORS[code].httpStatus})`);
  return `<!-- Made by \`npm run docs\` from src/meta/admin/schemas.ts. -->

# Admin API

Everything that \`cachectl\` can do to a cluster, over HTTP at any meta peer that was started with \`--http\`. A peer that does not lead passes the call on. \`GET /openapi.json\` is the whole of it as an OpenAPI 3.1 document; \`GET /healthz\` says whether the peer knows a leader.

\`\`\`sh
curl -X POST http://127.0.0.1:7580/v1/tenants -H 'content-type: application/json' -d '{"name":"shop","maxQps":5000}'
curl -N 'http://127.0.0.1:7580/v1/watch?prefix=tenants/'
\`\`\`

- **Token.** Where the peers have one (\`CACHECTL_ADMIN_TOKEN\`), send \`Authorization: Bearer TOKEN\`. Without one, only loopback addresses are listened on, and requests that a web page has made are refused.
- **Who.** \`x-cachectl-actor\` says who does it, for the audit log.
- **Revisions.** Each record has the revision of its last change. Give it as \`ifRevision\`, and the change is refused with 409 where the record is another by then.
- **Errors** are \`{"error": {"code", "message", "hint", "details"}}\`; the codes are in [errors.md](errors.md). Any operation may answer ${common.join(', ')}. Where a write may have been carried out although no answer came, \`details.maybeApplied\` is true.
- **Sizes** are bytes, **times** milliseconds.
- **Watch.** \`GET /v1/watch\` gives changes as server-sent events, each once and in order; \`Last-Event-ID\` or \`from\` goes on after a revision. \`event: compacted\` says that the changes asked for are no longer kept.

${OPERATIONS.map(sectionOf).join('\n')}`;
}

function sectionOf(operation: Operation): string {
  const { name, method, path, summary, errors } = operation;
  const { parameters, body } = httpShapeOf(operation);
  const rows = [...parameters].map(([field, { in: place, schema }]) => rowOf(field, place, schema));
  const fields = body?.['properties'];
  const properties = new Map(Object.entries(isObject(fields) ? fields : {}));
  for (const [field, schema] of properties) {
    if (field !== 'actor' && isObject(schema)) rows.push(rowOf(field, 'body', schema));
  }
  const shown = rows.filter((row) => !row.startsWith('| `actor`'));
  const own = errors.map((code) => `\`${code}\` (${ERRORS[code].httpStatus})`);
  return `## ${name}

\`${method} ${path}\`: ${summary}${own.length === 0 ? '' : ` Errors of its own: ${own.join(', ')}.`}
${shown.length === 0 ? '' : `\n| field | in | value |\n|---|---|---|\n${shown.join('\n')}\n`}`;
}

function rowOf(field: string, place: string, schema: Readonly<Record<string, unknown>>): string {
  const { description, default: fallback } = schema;
  const words = [
    typeOf(schema),
    ...(typeof description === 'string' ? [description] : []),
    ...(fallback === undefined ? [] : [`Default: \`${JSON.stringify(fallback)}\`.`]),
  ];
  return `| \`${field}\` | ${place} | ${words.join('. ').replaceAll('..', '.')} |`;
}

function typeOf(schema: Readonly<Record<string, unknown>>): string {
  const { type, enum: choices, anyOf, minimum } = schema;
  if (Array.isArray(choices)) return choices.map((choice) => `\`${String(choice)}\``).join(', ');
  if (Array.isArray(anyOf)) {
    return anyOf.map((one: unknown) => (isObject(one) ? typeOf(one) : '')).join(' or ');
  }
  const least = typeof minimum === 'number' && minimum > 0 ? ` of at least ${minimum}` : '';
  return `${String(type)}${least}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
