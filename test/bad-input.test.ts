/**
 * What hostile or broken clients send: each gets a clear error or a clean close, memory stays
 * bounded, and other clients notice nothing. Against a node in a process of its own.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';

const MIB = 1024 * 1024;
/** Of a megabyte each: many times what a connection may keep. */
const GETS = 1000;
const SMALL_GETS = 3_000_000;

let node: Started;
let port: number;
let onlooker: Socket;

beforeAll(async () => {
  node = startCachectl([
    ...['node', 'start', '--listen', '127.0.0.1:0', '--memory', '64mb'],
    ...['--request-timeout', '1s', '--max-value-size', '1mb', '--log-level', 'error'],
  ]);
  port = Number((await node.line(/serves 127\.0\.0\.1:(\d+)/))[1]);
  onlooker = connect(port, '127.0.0.1');
  await once(onlooker, 'connect');
});

afterAll(async () => {
  onlooker.destroy();
  await node[Symbol.asyncDispose]();
});

function residentBytes(): number {
  const status = readFileSync(`/proc/${node.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Reads from a socket until `enough` says so, or the peer closes. */
async function readUntil(socket: Socket, enough: (text: string) => boolean): Promise<string> {
  let text = '';
  while (!enough(text)) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) {
      text += chunk.toString('latin1');
    } else if (socket.readableEnded || socket.destroyed) {
      return text;
    } else {
      const more = new AbortController();
      const { signal } = more;
      await Promise.race([
        once(socket, 'readable', { signal }),
        once(socket, 'end', { signal }),
        once(socket, 'close', { signal }),
      ]);
      more.abort();
    }
  }
  return text;
}

/** Sends bytes on a connection of its own; gives all that comes back until the node closes it. */
async function answerUntilClose(bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return readUntil(socket, () => false);
}

/** Sends bytes on a connection of its own; gives the first `lines` lines that come back. */
async function answer(bytes: string | Buffer, lines: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  const text = await readUntil(socket, (so) => so.split('\r\n').length > lines);
  socket.destroy();
  return text;
}

/** A client that was there before is served at once, on the connection that it has. */
async function expectOthersServed(): Promise<void> {
  onlooker.write('PING\r\n');
  expect(await readUntil(onlooker, (text) => text.endsWith('\r\n'))).toBe('+PONG\r\n');
}

function command(...words: Array<string | Buffer>): Buffer {
  const parts = words.map((word) => Buffer.from(word));
  return Buffer.concat([
    Buffer.from(`*${parts.length}\r\n`),
    ...parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]),
  ]);
}

describe('what cannot be understood', () => {
  it.each([
    ['a negative argument count', '*-5\r\nPING\r\n', '+PONG\r\n', false],
    ['a negative length', '*1\r\n$-5\r\n', '-ERR Protocol error: invalid bulk length\r\n', true],
    ['a length that is no number', '*1\r\n$abc\r\n', '-ERR Protocol error: invalid bulk', true],
    ['no dollar sign', '*1\r\n:5\r\n', "-ERR Protocol error: expected '$', got ':'\r\n", true],
    ['too many arguments', '*2000000\r\n', '-ERR Protocol error: invalid multibulk', true],
    ['a length over the ceiling', '*2\r\n$3\r\nGET\r\n$536870913\r\n', '-ERR Protocol error', true],
    ['unbalanced quotes', 'GET "a\r\n', '-ERR Protocol error: unbalanced quotes', true],
    ['an endless header', `*${'1'.repeat(70_000)}`, '-ERR Protocol error: too big mbulk', true],
    ['an endless bulk header', `*1\r\n$${'1'.repeat(70_000)}`, '-ERR Protocol error: too b', true],
    ['an endless inline line', 'x'.repeat(70_000), '-ERR Protocol error: too big inline', true],
  ])('%s', async (_what, bytes, reply, closes) => {
    const text = closes ? await answerUntilClose(bytes) : await answer(bytes, 1);
    expect(text.startsWith(reply)).toBe(true);
    await expectOthersServed();
  });

  it('answers HTTP with words, and closes', async () => {
    const request = 'GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n';
    expect(await answerUntilClose(request)).toMatch(/^-ERR .*HTTP/);
    expect(await answerUntilClose('POST /x HTTP/1.1\r\nHost: a\r\n\r\nbody')).toMatch(/HTTP/);
    await expectOthersServed();
  });

  it('answers what came before the error, in order', async () => {
    const text = await answerUntilClose('PING\r\nECHO a\r\n*1\r\n$-2\r\nPING\r\n');
    expect(text).toMatch(/^\+PONG\r\n\$1\r\na\r\n-ERR Protocol error/);
  });

  it('closes on half a command and then silence, and says why', async () => {
    const text = await answerUntilClose('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nabc');
    expect(text).toMatch(/^-ERR .*did not arrive/);
    const passedOver = await answerUntilClose(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${2 * MIB}\r\nabc`);
    expect(passedOver).toMatch(/^-ERR .*did not arrive/);
    await expectOthersServed();
  });
});

describe('what is too large', () => {
  it('refuses a value over the limit, names the limit, and goes on with the connection', async () => {
    const huge = command('SET', 'k', Buffer.alloc(MIB + 1));
    const text = await answer(Buffer.concat([huge, command('PING')]), 2);
    expect(text).toMatch(/^-ERR .*1048577 bytes.*1048576 bytes.*\r\n\+PONG\r\n$/);
    await expectOthersServed();
  });

  it('passes over a value of hundreds of megabytes without keeping it', async () => {
    const before = residentBytes();
    const size = 300 * MIB;
    const socket = connect(port, '127.0.0.1');
    socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`);
    const piece = Buffer.alloc(MIB);
    let peak = 0;
    for (let sent = 0; sent < size; sent += MIB) {
      if (!socket.write(piece)) await once(socket, 'drain');
      if (sent % (16 * MIB) === 0) peak = Math.max(peak, residentBytes());
    }
    socket.write('\r\nPING\r\n');
    const text = await readUntil(socket, (so) => so.endsWith('PONG\r\n'));
    expect(text).toMatch(/^-ERR .*limit/);
    expect(peak - before).toBeLessThan(64 * MIB);
    socket.destroy();
    await expectOthersServed();
  });

  it('refuses a key over the limit, and names the limit', async () => {
    const text = await answer(command('SET', Buffer.alloc(65_537, 'k'), 'v'), 1);
    expect(text).toMatch(/^-ERR .*65537 bytes.*65536 bytes/);
    expect(await answer(command('GET', Buffer.alloc(65_537, 'k')), 1)).toBe('$-1\r\n');
    expect(await answer(command('SET', Buffer.alloc(65_536, 'k'), 'v'), 1)).toBe('+OK\r\n');
  });

  it('keeps any bytes in keys and values', async () => {
    const key = Buffer.from([0, 255, 13, 10, 0xc3, 0x28, 0]);
    const value = Buffer.from([10, 13, 0, 254, 0xff]);
    const bytes = Buffer.concat([command('SET', key, value), command('GET', key)]);
    const text = await answer(bytes, 3);
    expect(text).toBe(`+OK\r\n$5\r\n${value.toString('latin1')}\r\n`);
  });
});

describe('what is too much', () => {
  it('serves a million commands sent at once', async () => {
    const socket = connect(port, '127.0.0.1');
    const batch = Buffer.from('*1\r\n$4\r\nPING\r\n'.repeat(10_000));
    const before = residentBytes();
    let length = 0;
    const all = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        length += chunk.length;
        if (length === 7_000_000) resolve();
      });
    });
    for (let i = 0; i < 100; i++) socket.write(batch);
    await all;
    expect(residentBytes() - before).toBeLessThan(64 * MIB);
    socket.destroy();
    await expectOthersServed();
  });

  it('keeps its memory while a client never reads its replies', async () => {
    const value = Buffer.alloc(MIB - 1024, 'v');
    expect(await answer(command('SET', 'large', value), 1)).toBe('+OK\r\n');
    const before = residentBytes();
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    await once(socket, 'connect');
    const gets = Buffer.from(command('GET', 'large').toString().repeat(GETS));
    socket.write(gets);
    let peak = 0;
    for (let i = 0; i < 20; i++) {
      await expectOthersServed();
      peak = Math.max(peak, residentBytes());
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    expect(peak - before).toBeLessThan(64 * MIB);
    // When it does read, it gets every reply.
    let length = 0;
    const expected = GETS * (value.length + `$${value.length}\r\n\r\n`.length);
    const all = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        length += chunk.length;
        if (length >= expected) resolve();
      });
      socket.resume();
    });
    await all;
    expect(length).toBe(expected);
    socket.destroy();
  });

  it('pauses a client of small requests that never reads its replies', async () => {
    const value = Buffer.alloc(100, 'v');
    expect(await answer(command('SET', 'small', value), 1)).toBe('+OK\r\n');
    const before = residentBytes();
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    await once(socket, 'connect');
    // Replies of 110 bytes to requests of 24: hundreds of megabytes, were all of them carried out.
    const gets = Buffer.from(command('GET', 'small').toString().repeat(SMALL_GETS));
    let sent = 0;
    socket.write(gets, () => sent++);
    let peak = 0;
    for (let i = 0; i < 20; i++) {
      await expectOthersServed();
      peak = Math.max(peak, residentBytes());
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    expect(peak - before).toBeLessThan(64 * MIB);
    // It is not read from any more: what it sends stays in its own buffers.
    expect(sent).toBe(0);
    expect(socket.bytesWritten - socket.writableLength).toBeLessThan(gets.length);
    let length = 0;
    const expected = SMALL_GETS * (value.length + '$100\r\n\r\n'.length);
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        length += chunk.length;
        if (length >= expected) resolve();
      });
      socket.resume();
    });
    expect(length).toBe(expected);
    socket.destroy();
  });

  it('serves ten thousand connections, and the one that was there before', async () => {
    const sockets: Socket[] = [];
    const connected: Array<Promise<unknown>> = [];
    for (let i = 0; i < 9900; i++) {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      connected.push(once(socket, 'connect'));
      if (i % 500 === 0) await connected[i];
    }
    await Promise.all(connected);
    await expectOthersServed();
    const replies = sockets.map((socket) => once(socket, 'data'));
    for (const socket of sockets) socket.write('PING\r\n');
    for (const reply of replies) expect(String((await reply)[0])).toBe('+PONG\r\n');
    await expectOthersServed();
    expect(residentBytes()).toBeLessThan(600 * MIB);
    for (const socket of sockets) socket.destroy();
  });

  it('bounds what unfinished commands of many clients take together', async () => {
    await using limited = startCachectl([
      ...['node', 'start', '--listen', '127.0.0.1:0', '--max-input', '32mb'],
      ...['--max-value-size', '16mb', '--log-level', 'error'],
    ]);
    const limitedPort = Number((await limited.line(/serves 127\.0\.0\.1:(\d+)/))[1]);
    const half = Buffer.concat([
      Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${16 * MIB}\r\n`),
      Buffer.alloc(8 * MIB),
    ]);
    const answers = Array.from({ length: 12 }, async () => {
      const socket = connect(limitedPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(half);
      const text = await Promise.race([
        readUntil(socket, () => false),
        new Promise<string>((resolve) => {
          setTimeout(resolve, 1500, 'kept');
        }),
      ]);
      socket.destroy();
      return text;
    });
    const texts = await Promise.all(answers);
    expect(texts.filter((text) => text === 'kept').length).toBeGreaterThan(0);
    expect(texts.filter((text) => /max-input/.test(text)).length).toBeGreaterThan(4);
    const small = connect(limitedPort, '127.0.0.1');
    small.write('PING\r\n');
    expect(await readUntil(small, (text) => text.endsWith('\n'))).toBe('+PONG\r\n');
    small.destroy();
  });

  it('refuses a connection over the limit, in words', async () => {
    await using limited = startCachectl([
      ...['node', 'start', '--listen', '127.0.0.1:0', '--max-clients', '2'],
      ...['--log-level', 'error'],
    ]);
    const limitedPort = Number((await limited.line(/serves 127\.0\.0\.1:(\d+)/))[1]);
    const held = [connect(limitedPort, '127.0.0.1'), connect(limitedPort, '127.0.0.1')];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    for (const socket of held) {
      socket.write('PING\r\n');
      expect(await readUntil(socket, (text) => text.endsWith('\n'))).toBe('+PONG\r\n');
    }
    const third = connect(limitedPort, '127.0.0.1');
    expect(await readUntil(third, () => false)).toBe('-ERR max number of clients reached\r\n');
    for (const socket of held) socket.destroy();
  });
});
