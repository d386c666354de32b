/**
 * The admin API over HTTP, at any meta peer: routes, checks of what comes in, and statuses, all
 * from the table of operations. It lives in the real process only; what it does goes through the
 * same calls as the RPC.
 *
 * Without a token it takes requests from this machine only, and none that a web page has made: a
 * browser on the operator's machine would carry them out for any site that asks.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CachectlError, ERRORS } from '../../cluster/index.ts';
import type { RpcOutcome } from '../../rpc/index.ts';
import type { Address } from '../../runtime/index.ts';
import { ADMIN_TIMEOUT_MS, OPERATIONS, type Operation } from '../admin/index.ts';
import { httpShapeOf, openApiDocument, type HttpShape } from '../admin/openapi.ts';
import type { MetadataStore } from '../store/index.ts';
import { streamChanges } from './watch-stream.ts';

/** Of a request; a config document with a thousand settings is a tenth of it. */
const BODY_BYTES_MAX = 1024 * 1024;
/** A call to the leader by way of this peer takes a little longer than there. */
const FORWARD_MS = 1000;

/** The meta peer, as far as it matters here. */
export interface HttpPeer {
  readonly name: string;
  readonly isLeading: boolean;
  readonly leaderAddress: Address | undefined;
  readonly store: MetadataStore;
  call(method: string, body: unknown, timeoutMs: number, done: (outcome: RpcOutcome) => void): void;
}

export interface HttpOptions {
  readonly listen: Address;
  readonly token: string | undefined;
  /** Of cachectl. */
  readonly version: string;
}

export interface RunningHttp {
  readonly address: Address;
  close(): Promise<void>;
}

/** @throws {CachectlError} `ERR_CACHECTL_LISTEN` */
export async function startHttp(peer: HttpPeer, options: HttpOptions): Promise<RunningHttp> {
  const { listen, token } = options;
  if (token === undefined && !isLoopback(listen.host)) {
    const words = `without a token, ${listen.host} may not be listened on: everybody could administer the cluster`;
    throw new CachectlError('ERR_CACHECTL_LISTEN', words, {
      hint: 'Give a token (CACHECTL_ADMIN_TOKEN), or listen on 127.0.0.1.',
    });
  }
  const server = fastify({
    bodyLimit: BODY_BYTES_MAX,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 300 },
  });
  server.setErrorHandler(async (thrown, _request, reply) => answerError(reply, toError(thrown)));
  server.setNotFoundHandler(async (request, reply) => refuseUnknown(server, request, reply));
  server.addHook('onRequest', async (request, reply) => {
    if (request.url.split('?')[0] === '/healthz') return;
    const fault = faultOf(request, token);
    if (fault !== undefined) await answerError(reply, fault);
  });
  for (const operation of OPERATIONS) addRoute(server, peer, operation);
  const document = openApiDocument(options.version);
  server.get('/openapi.json', async () => document);
  server.get('/healthz', async (_request, reply) => {
    const isWell = peer.isLeading || peer.leaderAddress !== undefined;
    const status = isWell ? 'ok' : 'no leader';
    return reply
      .code(isWell ? 200 : 503)
      .send({ status, peer: peer.name, isLeading: peer.isLeading });
  });
  server.get('/v1/watch', (request, reply) => streamChanges(peer.store, request, reply));
  try {
    await server.listen({ host: listen.host, port: listen.port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const words = `cannot listen on ${listen.host}:${listen.port}: ${reason}`;
    throw new CachectlError('ERR_CACHECTL_LISTEN', words, { cause });
  }
  const bound = server.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
  return {
    address: { host: listen.host, port },
    close: async () => server.close(),
  };
}

function addRoute(server: FastifyInstance, peer: HttpPeer, operation: Operation): void {
  const shape = httpShapeOf(operation);
  server.route({
    method: operation.method,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    handler: async (request, reply) => {
      const body = inputOf(request, operation, shape);
      const timeoutMs = ADMIN_TIMEOUT_MS + FORWARD_MS;
      const outcome = await new Promise<RpcOutcome>((resolve) => {
        peer.call(operation.name, body, timeoutMs, resolve);
      });
      if (!outcome.ok) return answerError(reply, outcome.error);
      return reply.code(shape.successStatus).send(outcome.body);
    },
  });
}

/** One object of what is in the path, the query and the body. */
function inputOf(
  request: FastifyRequest,
  { isWrite }: Operation,
  { parameters, body: bodySchema }: HttpShape,
): Readonly<Record<string, unknown>> {
  const input: Record<string, unknown> = {};
  if (bodySchema !== undefined && request.body !== undefined && request.body !== null) {
    const { body } = request;
    if (!isObject(body)) throw badValue('the body is not a JSON object');
    Object.assign(input, body);
  }
  const inQuery = Object.entries(isObject(request.query) ? request.query : {});
  const inPath = Object.entries(isObject(request.params) ? request.params : {});
  for (const [name, text] of inQuery) {
    const parameter = parameters.get(name);
    if (parameter?.in !== 'query') throw badValue(`the query has an unknown field '${name}'`);
    if (typeof text !== 'string') throw badValue(`the query has the field '${name}' twice`);
    input[name] = parameter.schema['type'] === 'string' ? text : parsed(name, text);
  }
  for (const [name, text] of inPath) {
    if (Object.hasOwn(input, name)) throw badValue(`'${name}' is part of the path`);
    const type = parameters.get(name)?.schema['type'];
    input[name] = type === 'string' ? text : parsed(name, String(text));
  }
  const actor = request.headers['x-cachectl-actor'];
  if (isWrite) input['actor'] ??= typeof actor === 'string' ? actor : `http ${request.ip}`;
  return input;
}

/** Of a field that is no string: a number, or true or false. */
function parsed(name: string, text: string): unknown {
  if (/^-?\d{1,16}$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  throw badValue(`${name} is '${text}', which is neither a whole number, nor true or false`);
}

function badValue(words: string): CachectlError {
  const hint = 'GET /openapi.json describes what each operation takes.';
  return new CachectlError('ERR_CACHECTL_VALUE', words, { hint });
}

/** Who may not ask, and why. */
function faultOf(request: FastifyRequest, token: string | undefined): CachectlError | undefined {
  if (token === undefined) {
    const { host, origin } = request.headers;
    const isLocal = isLoopback(hostOf(host ?? ''));
    const isOwn = origin === undefined || origin === `http://${host ?? ''}`;
    if (isLocal && isOwn) return undefined;
    const hint = 'Set a token (CACHECTL_ADMIN_TOKEN) where others than local tools are to ask.';
    const words = 'without a token, web pages and other machines are refused';
    return new CachectlError('ERR_CACHECTL_AUTH', words, { hint });
  }
  const [scheme, given] = (request.headers.authorization ?? '').split(' ');
  const isRight = scheme?.toLowerCase() === 'bearer' && given !== undefined;
  if (isRight && timingSafeEqual(hashOf(given), hashOf(token))) return undefined;
  const hint = "Send it as 'Authorization: Bearer TOKEN'.";
  const words = isRight ? 'the token is wrong' : 'this cluster asks for a token';
  return new CachectlError('ERR_CACHECTL_AUTH', words, { hint });
}

function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

function hostOf(text: string): string {
  return text.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** A path that is known under another method is told apart from one that is not. */
async function refuseUnknown(
  server: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const [path] = request.url.split('?');
  const url = routeOf(path);
  const allowed = METHODS.filter(
    (method) => url !== undefined && server.findRoute({ method, url }) !== null,
  );
  if (allowed.length === 0) {
    const hint = 'GET /openapi.json lists the paths.';
    const error = new CachectlError('ERR_CACHECTL_NOT_FOUND', `no path ${path}`, { hint });
    return answerError(reply, error);
  }
  const words = `${path} does not take ${request.method}, but ${allowed.join(', ')}`;
  void reply.header('allow', allowed.join(', '));
  return answerError(reply, new CachectlError('ERR_CACHECTL_USAGE', words), 405);
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const ROUTES = ['/openapi.json', '/healthz', '/v1/watch', ...OPERATIONS.map(({ path }) => path)];

/** The route, as it was added, that the path would be of. */
function routeOf(path: string): string | undefined {
  const route = ROUTES.find((one) => {
    const pattern = one.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+');
    return new RegExp(`^${pattern}$`).test(path);
  });
  return route?.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** Statuses of fastify that say more than the one of the error's code. */
const STATUSES: ReadonlySet<number> = new Set([400, 408, 413, 414, 415, 431]);

class HttpError extends CachectlError {
  readonly status: number;

  constructor(message: string, status: number) {
    super('ERR_CACHECTL_VALUE', message);
    this.status = status;
  }
}

function toError(thrown: unknown): CachectlError {
  if (thrown instanceof CachectlError) return thrown;
  if (!(thrown instanceof Error)) return new CachectlError('ERR_CACHECTL_FAILED', String(thrown));
  const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
  if (typeof status === 'number' && STATUSES.has(status)) {
    return new HttpError(thrown.message, status);
  }
  return new CachectlError('ERR_CACHECTL_FAILED', thrown.message, { cause: thrown });
}

async function answerError(
  reply: FastifyReply,
  error: CachectlError,
  status = error instanceof HttpError ? error.status : error.httpStatus,
): Promise<FastifyReply> {
  const { code, message, details } = error;
  const hint = error.hint ?? ERRORS[code].remedy;
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  const shown = { code, message, hint, ...(details === undefined ? {} : { details }) };
  return reply.code(status).send({ error: shown });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
