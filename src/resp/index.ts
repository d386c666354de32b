/**
 * RESP2 and RESP3, both sides of the wire, over byte ranges of the caller's buffers.
 *
 * What it guarantees:
 * - Any stream of bytes, cut into any pieces, gives the same requests, replies and errors.
 * - Memory is bounded by what has arrived, never by what was declared.
 * - On the server's side a request costs no allocation, string, closure or exception.
 *
 * In reading order: `limits.ts`, `request-parser.ts` (one request in a range), `inline.ts` and
 * `http.ts` (what is not in the binary form), `request-reader.ts` (all requests of a connection),
 * `writer.ts` (replies). The client's side: `request-encoder.ts`, `reply.ts` (what replies are),
 * `reply-parser.ts`, and `reply-skimmer.ts` for load generators.
 */

export {
  ARGUMENT_BYTES_CEILING,
  REPLY_LIMITS,
  type ReplyLimits,
  REQUEST_BYTES_CEILING,
  REQUEST_LIMITS,
  type RequestLimits,
} from './limits.ts';
export {
  INCOMPLETE,
  OVERSIZED,
  type ParseCode,
  PROTOCOL_ERROR,
  REQUEST,
  RequestParser,
} from './request-parser.ts';
export { type ReplyCode, PUSH, REPLY, ReplyParser } from './reply-parser.ts';
export { type Reply, ReplyError, ReplyMap, ReplySet, replyText, VerbatimText } from './reply.ts';
export { ReplySkimmer, SKIMMED_ERROR, SKIMMED_NULL, SKIMMED_VALUE } from './reply-skimmer.ts';
export { encodeRequest } from './request-encoder.ts';
export { RequestReader, type RequestScout } from './request-reader.ts';
export {
  REPLIES,
  type RespVersion,
  writeArrayHeader,
  writeBigInteger,
  writeBigNumber,
  writeBoolean,
  writeBulk,
  writeBulkText,
  writeDouble,
  writeEncoded,
  writeError,
  writeInteger,
  writeMapHeader,
  writeNull,
  writeNullArray,
  writePushHeader,
  writeSetHeader,
  writeSimpleString,
  writeVerbatim,
} from './writer.ts';
