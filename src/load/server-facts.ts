/** What a server says of itself, asked once before it is loaded. */
import { CachectlError } from '../cluster/index.ts';
import {
  INCOMPLETE,
  PROTOCOL_ERROR,
  type Reply,
  ReplyError,
  ReplyParser,
  encodeRequest,
  replyText,
} from '../resp/index.ts';
import { type Connection, OutputBuffer, type Runtime } from '../runtime/index.ts';
import type { Target } from './lane.ts';
import { readCpuTime } from './process-cpu.ts';

export interface ServerFacts {
  /** Such as `redis 7.0.15`. */
  readonly name: string;
  /** Where its process is on this machine and can be looked at. */
  readonly pid: number | undefined;
}

/**
 * @throws {CachectlError} `ERR_CACHECTL_CONNECT`, `ERR_CACHECTL_TIMEOUT` or `ERR_CACHECTL_AUTH`,
 *   naming the address.
 */
export async function askForFacts(
  runtime: Runtime,
  target: Target,
  timeoutMs: number,
): Promise<ServerFacts> {
  const { tenant = 'default', secret } = target;
  const requests = [['INFO', 'server']];
  if (secret !== undefined) requests.unshift(['AUTH', tenant, secret]);
  const replies = await exchange(runtime, target, requests, timeoutMs);
  const refusal = replies.find(
    (reply) => reply instanceof ReplyError && /^(WRONGPASS|NOAUTH)/.test(reply.text),
  );
  if (refusal instanceof ReplyError) {
    const hint = 'Give the tenant with --tenant, and its secret as CACHECTL_SECRET.';
    const message = `${nameOf(target)}: ${refusal.text}`;
    throw new CachectlError('ERR_CACHECTL_AUTH', message, { hint });
  }
  const fields = readInfo(replies[replies.length - 1]);
  const pid = Number(fields.get('process_id'));
  const isHere = isLoopback(target.address.host) && readCpuTime(pid) !== undefined;
  return {
    name: fields.get('server_name') ?? `redis ${fields.get('redis_version') ?? 'of no version'}`,
    pid: isHere ? pid : undefined,
  };
}

function exchange(
  runtime: Runtime,
  target: Target,
  requests: ReadonlyArray<readonly string[]>,
  timeoutMs: number,
): Promise<readonly Reply[]> {
  return new Promise((resolve, reject) => {
    const parser = new ReplyParser();
    const replies: Reply[] = [];
    let connection: Connection | undefined;
    const fail = (code: 'ERR_CACHECTL_CONNECT' | 'ERR_CACHECTL_TIMEOUT', words: string): void => {
      timer.cancel();
      attempt.cancel();
      connection?.destroy();
      reject(new CachectlError(code, `${nameOf(target)}: ${words}`));
    };
    const timer = runtime.timers.after(timeoutMs, () =>
      fail('ERR_CACHECTL_TIMEOUT', `no answer within ${timeoutMs} ms`),
    );
    const attempt = runtime.network.connect(target.address, {
      onError: (error) => fail('ERR_CACHECTL_CONNECT', `cannot connect: ${error.code}`),
      onConnect: (connected) => {
        connection = connected;
        connected.start({
          onData: (bytes, start, end) => {
            parser.push(bytes, start, end);
            for (let code = parser.next(); code !== INCOMPLETE; code = parser.next()) {
              if (code === PROTOCOL_ERROR) {
                fail('ERR_CACHECTL_CONNECT', `does not speak RESP: ${parser.errorText}`);
                return;
              }
              replies.push(parser.reply);
            }
            if (replies.length < requests.length) return;
            timer.cancel();
            connected.destroy();
            resolve(replies);
          },
          onDrain() {},
          onEnd: () => fail('ERR_CACHECTL_CONNECT', 'the connection was closed'),
          onClose() {},
        });
        const output = new OutputBuffer(1024);
        for (const request of requests) encodeRequest(output, request);
        connected.send(output);
      },
    });
  });
}

/** `name:value` lines; none where the server would not tell. */
function readInfo(reply: Reply): ReadonlyMap<string, string> {
  const lines = (replyText(reply) ?? '').split('\r\n').map((line) => line.split(':'));
  return new Map(lines.map(([name, ...rest]) => [name, rest.join(':')]));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function nameOf({ address: { host, port } }: Target): string {
  return `${host}:${port}`;
}
