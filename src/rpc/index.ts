/**
 * Calls between the parts of a cluster, over RESP: nodes, proxies and the command line call the
 * meta peers; these answer, in any order, and push what a client is to know unasked.
 *
 * What it guarantees:
 * - Each call has one outcome, by its deadline. Where a server may have carried it out although no
 *   answer came, the error's `details.maybeApplied` is true.
 * - A call is carried out at most once, unless its caller says that twice is harmless.
 * - Pushes of one connection arrive in order, and none is missing while it lasts.
 * - Whatever bytes come, memory is bounded on both sides, and nothing but the connection suffers.
 *
 * In reading order: `limits.ts`, `messages.ts` (what is said), `server.ts` with `server-session.ts`,
 * `client.ts` with `client-link.ts`.
 */
export { RPC_CLIENT_LIMITS, RPC_SERVER_LIMITS } from './limits.ts';
export type { RpcClientLimits, RpcServerLimits } from './limits.ts';
export type { RpcOutcome } from './messages.ts';
export { RpcServer, type RpcHandler, type RpcServerOptions } from './server.ts';
export type { RpcSession } from './server-session.ts';
export {
  RpcClient,
  type RpcCallOptions,
  type RpcClientOptions,
  type RpcClientState,
} from './client.ts';
