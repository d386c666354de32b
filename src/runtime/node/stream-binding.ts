/**
 * The part of Node's stream binding that lets a connection read into one shared array and write
 * without a stream in between.
 *
 * Why not `socket.on('data')` and `socket.write`: for an unpipelined PING on loopback, user time an
 * operation was 4.3 µs with them, 2.5 µs with the `onread` option, 1.9 µs with the handle itself,
 * and 1.7 µs for redis-server (medians, one core). Node keeps `process.binding` for this list of
 * modules; that it still has what we use is checked when this file loads.
 */
import type { Socket } from 'node:net';

/** One write under way. */
export interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined;
  /** Keeps the memory alive while the kernel has not taken it. */
  buffer: Uint8Array | undefined;
}

/** A connected TCP handle. Negative results are errno values. */
export interface StreamHandle {
  onread: () => void;
  readonly writeQueueSize: number;
  useUserBuffer(bytes: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}

function loadBinding(): StreamBinding {
  const load: unknown = Reflect.get(process, 'binding');
  const binding: unknown = typeof load === 'function' ? load.call(process, 'stream_wrap') : {};
  if (!isStreamBinding(binding)) {
    throw new Error(
      `Node ${process.version} has no stream binding that cachectl knows; run it with Node 26`,
    );
  }
  return binding;
}

function isStreamBinding(value: unknown): value is StreamBinding {
  return (
    typeof value === 'object' &&
    value !== null &&
    'WriteWrap' in value &&
    typeof value.WriteWrap === 'function' &&
    'streamBaseState' in value &&
    value.streamBaseState instanceof Int32Array &&
    'kReadBytesOrError' in value &&
    'kLastWriteWasAsync' in value
  );
}

const binding = loadBinding();
const state = binding.streamBaseState;
const readResultAt = binding.kReadBytesOrError;
const wasAsyncAt = binding.kLastWriteWasAsync;

/** The handle of a connected socket whose reading has not begun; undefined once it is closed. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return isStreamHandle(handle) ? handle : undefined;
}

function isStreamHandle(value: unknown): value is StreamHandle {
  return typeof value === 'object' && value !== null && 'useUserBuffer' in value;
}

/** Within `onread`: how many bytes have arrived, or a negative errno. */
export function lastReadResult(): number {
  return state[readResultAt];
}

/** Right after `writeBuffer`: whether the kernel has not taken all of it yet. */
export function lastWriteWasAsync(): boolean {
  return state[wasAsyncAt] !== 0;
}

export function createWriteRequest(): WriteRequest {
  return new binding.WriteWrap();
}
