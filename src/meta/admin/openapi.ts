/** The OpenAPI 3.1 document of the HTTP side, made of the table of operations. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../cluster/index.ts';
import { COMMON_ERRORS, type Operation } from './operation.ts';
import { OPERATIONS } from './schemas.ts';
import { watchEventSchema } from './views.ts';

type Json = Readonly<Record<string, unknown>>;

/** What an HTTP request of an operation consists of. */
export interface HttpShape {
  /** By their names: the type that their text stands for. */
  readonly parameters: ReadonlyMap<
    string,
    { readonly in: 'path' | 'query'; readonly schema: Json }
  >;
  /** Undefined where it takes none. */
  readonly body: Json | undefined;
  readonly successStatus: number;
}

export function httpShapeOf({ method, path, input, name }: Operation): HttpShape {
  const { properties, required = [] } = objectSchema(input, 'input');
  const inPath = new Set([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
  const hasBody = method !== 'GET' && method !== 'DELETE';
  const parameters = new Map<string, { in: 'path' | 'query'; schema: Json }>();
  const bodyProperties: Record<string, Json> = {};
  for (const [field, schema] of Object.entries(properties)) {
    if (inPath.has(field)) parameters.set(field, { in: 'path', schema });
    else if (hasBody) bodyProperties[field] = schema;
    else parameters.set(field, { in: 'query', schema });
  }
  const bodyRequired = required.filter((field) => Object.hasOwn(bodyProperties, field));
  const body = {
    type: 'object',
    properties: bodyProperties,
    ...(bodyRequired.length === 0 ? {} : { required: bodyRequired }),
    additionalProperties: false,
  };
  const isCreation = name.endsWith('.create') || name === 'meta.add';
  return { parameters, body: hasBody ? body : undefined, successStatus: isCreation ? 201 : 200 };
}

/** @param version of cachectl */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'cachectl admin API',
      version,
      description: 'Everything that `cachectl` can do to a cluster. Any meta peer takes any call.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{}, { token: [] }],
    paths: { ...paths, '/v1/watch': { get: WATCH }, '/healthz': { get: HEALTH } },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR },
      parameters: { Actor: ACTOR_HEADER },
    },
  };
}

function describe(operation: Operation): Json {
  const { parameters, body, successStatus } = httpShapeOf(operation);
  const errors = [...new Set([...operation.errors, ...COMMON_ERRORS])];
  return {
    operationId: operation.name,
    summary: operation.summary,
    tags: [operation.name.split('.')[0]],
    parameters: [
      ...[...parameters].map(([name, { in: place, schema }]) => ({
        ...{ name, in: place, schema },
        required: place === 'path',
      })),
      ...(operation.isWrite ? [{ $ref: '#/components/parameters/Actor' }] : []),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: 'required' in body, content: json(body) } }),
    responses: {
      [successStatus]: { description: 'Done.', content: json(jsonSchema(operation.output)) },
      ...errorResponses(errors),
    },
  };
}

/** One response for each status: several codes may share it. */
function errorResponses(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { httpStatus, meaning } = ERRORS[code];
    const words = byStatus.get(httpStatus) ?? [];
    words.push(`\`${code}\`: ${meaning}`);
    byStatus.set(httpStatus, words);
  }
  const content = json({ $ref: '#/components/schemas/Error' });
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([one], [other]) => one - other)
      .map(([status, words]) => [status, { description: words.join('\n\n'), content }]),
  );
}

const json = (schema: Json) => ({ 'application/json': { schema } });

function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

function objectSchema(schema: z.ZodObject, io: 'input' | 'output') {
  const shape = z.object({
    properties: z.record(z.string(), z.record(z.string(), z.unknown())),
    required: z.array(z.string()).optional(),
  });
  return shape.parse(jsonSchema(schema, io));
}

const ERROR: Json = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string', enum: Object.keys(ERRORS) },
        message: { type: 'string' },
        hint: { type: 'string' },
        details: { type: 'object' },
      },
      required: ['code', 'message', 'hint'],
      additionalProperties: false,
    },
  },
  required: ['error'],
  additionalProperties: false,
};

const ACTOR_HEADER: Json = {
  name: 'x-cachectl-actor',
  in: 'header',
  description: 'Who does this, for the audit log.',
  schema: { type: 'string', maxLength: 255 },
};

const WATCH: Json = {
  operationId: 'watch',
  summary: 'Changes of records, as server-sent events, each once and in order.',
  description:
    'The id of an event is its revision; give the last one as `Last-Event-ID`, or `from`, to go on ' +
    'after it. `compacted` ends the stream: the changes asked for are no longer kept, so read anew.',
  tags: ['watch'],
  parameters: [
    { name: 'prefix', in: 'query', schema: { type: 'string', default: '' } },
    { name: 'from', in: 'query', schema: { type: 'integer', minimum: 0 } },
    { name: 'Last-Event-ID', in: 'header', schema: { type: 'integer', minimum: 0 } },
  ],
  responses: {
    200: {
      description: 'Events `put`, `delete` and `compacted`, until the client has enough.',
      content: { 'text/event-stream': { schema: jsonSchema(watchEventSchema) } },
    },
    ...errorResponses(['ERR_CACHECTL_VALUE', 'ERR_CACHECTL_AUTH']),
  },
};

const HEALTH: Json = {
  operationId: 'healthz',
  summary: 'Whether this meta peer is of use: it knows a leader.',
  tags: ['meta'],
  parameters: [],
  security: [{}],
  responses: Object.fromEntries(
    [
      ['200', 'It does.'],
      ['503', 'It does not.'],
    ].map(([status, description]) => [
      status,
      {
        description,
        content: json({
          type: 'object',
          properties: {
            status: { type: 'string', enum: ['ok', 'no leader'] },
            peer: { type: 'string' },
            isLeading: { type: 'boolean' },
          },
          required: ['status', 'peer', 'isLeading'],
          additionalProperties: false,
        }),
      },
    ]),
  ),
};
