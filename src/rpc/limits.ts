/** A bound on everything that one side can make the other keep. */

export interface RpcServerLimits {
  /** One message either way. A longer request is refused, a longer answer becomes an error. */
  readonly messageBytesMax: number;
  /** Calls of one session that have no answer yet; beyond, they are refused as overloaded. */
  readonly callsMax: number;
  /** Output that a session has not taken; beyond, it is disconnected. */
  readonly outputBytesMax: number;
  /** A session from which nothing has come for so long, a ping included, is closed. */
  readonly idleTimeoutMs: number;
  /** Further connections are told so, and closed. */
  readonly sessionsMax: number;
}

/** A list of 10,000 tenants is about 4 MiB; a map of 16,384 shards about 3 MiB. */
export const RPC_SERVER_LIMITS: RpcServerLimits = Object.freeze({
  messageBytesMax: 64 * 1024 * 1024,
  callsMax: 1024,
  outputBytesMax: 128 * 1024 * 1024,
  idleTimeoutMs: 60_000,
  sessionsMax: 10_000,
});

export interface RpcClientLimits {
  /** Calls without an outcome; beyond, they fail as overloaded. */
  readonly callsMax: number;
  /** One message from the server; a longer one ends the connection. */
  readonly messageBytesMax: number;
  /** Calls that wait to be taken by the network; beyond, they fail as overloaded. */
  readonly outputBytesMax: number;
  /** The longest pause between two rounds of tries. A random part of it is waited. */
  readonly retryMsMax: number;
}

export const RPC_CLIENT_LIMITS: RpcClientLimits = Object.freeze({
  callsMax: 1024,
  messageBytesMax: 128 * 1024 * 1024,
  outputBytesMax: 128 * 1024 * 1024,
  retryMsMax: 200,
});
