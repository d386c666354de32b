/**
 * What is said on a connection, as RESP.
 *
 * Client: `CALL id method json`, `AUTH token`, `PING`. Server: `>4 reply id ok|ERR_CACHECTL_X json`
 * for a call, `>3 push topic json` unasked, `+OK`, `+PONG` and `-ERR …` for the others. Replies to
 * calls come in any order.
 */
import { CachectlError, ERRORS, type ErrorCode } from '../cluster/errors.ts';
import { type Reply, replyText, writeBulkText, writePushHeader } from '../resp/index.ts';
import type { OutputBuffer } from '../runtime/index.ts';

export type RpcOutcome =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly error: CachectlError };

export type ServerMessage =
  | { readonly kind: 'reply'; readonly id: number; readonly outcome: RpcOutcome }
  | { readonly kind: 'push'; readonly topic: string; readonly body: unknown };

const OK = 'ok';

/** The JSON of a body; what JSON knows no word for is null. */
export function encodeBody(body: unknown): string {
  return JSON.stringify(body ?? null);
}

/** `text` is JSON. */
export function writeReply(out: OutputBuffer, id: number, status: string, text: string): void {
  writePushHeader(out, 4, 3);
  writeBulkText(out, 'reply');
  writeBulkText(out, String(id));
  writeBulkText(out, status);
  writeBulkText(out, text);
}

export function writePush(out: OutputBuffer, topic: string, text: string): void {
  writePushHeader(out, 3, 3);
  writeBulkText(out, 'push');
  writeBulkText(out, topic);
  writeBulkText(out, text);
}

/** Status and JSON of an outcome. */
export function encodeOutcome(outcome: RpcOutcome): { status: string; text: string } {
  if (outcome.ok) return { status: OK, text: encodeBody(outcome.body) };
  const { code, message, hint, details } = outcome.error;
  return { status: code, text: JSON.stringify({ message, hint, details }) };
}

/** Undefined where it is no message of a server: the connection is of no more use. */
export function decodeServerMessage(reply: Reply): ServerMessage | undefined {
  if (!Array.isArray(reply)) return undefined;
  const words = reply.map((part: Reply) => replyText(part));
  const [kind, subject, status, text] = words;
  if (kind === 'push' && words.length === 3 && subject !== undefined) {
    const body = parseJson(status);
    return body === undefined ? undefined : { kind, topic: subject, body };
  }
  if (kind !== 'reply' || words.length !== 4 || status === undefined) return undefined;
  const id = parseCallId(subject ?? '');
  const body = parseJson(text);
  if (id === undefined || body === undefined) return undefined;
  if (status === OK) return { kind, id, outcome: { ok: true, body } };
  return { kind, id, outcome: { ok: false, error: decodeError(status, body) } };
}

/** A call's number, or undefined. */
export function parseCallId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Undefined where `text` is no JSON. */
export function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A code of a newer version than this one is kept in the message. */
function decodeError(status: string, body: unknown): CachectlError {
  const { message, hint, details } = isObject(body) ? body : {};
  const words = typeof message === 'string' ? message : 'the server gave no reason';
  const options = {
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(isObject(details) ? { details } : {}),
  };
  return isErrorCode(status)
    ? new CachectlError(status, words, options)
    : new CachectlError('ERR_CACHECTL_SERVER', `${status}: ${words}`, options);
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
