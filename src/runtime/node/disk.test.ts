import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as nodePath from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type AppendFile, type Disk, type Done, type FileLock, SystemError } from '../ports.ts';
import { createDisk } from './disk.ts';

let root: string;
let disk: Disk;

beforeEach(() => {
  root = fs.mkdtempSync(nodePath.join(os.tmpdir(), 'cachectl-disk-'));
  disk = createDisk(root);
});

afterEach(() => fs.rmSync(root, { recursive: true }));

/** Also asserts what holds for every call: nothing is called back before the call has returned. */
function result<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let returned = false;
    call((error, value) => {
      if (!returned) reject(new Error('called back before the call had returned'));
      else if (error === undefined) resolve(value);
      else reject(error);
    });
    returned = true;
  });
}

async function failure(call: Promise<unknown>): Promise<SystemError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SystemError))
    throw new Error(`expected a SystemError, got ${String(error)}`);
  return error;
}

const open = (path: string): Promise<AppendFile> => result((done) => disk.openAppend(path, done));
const read = (path: string, offset = 0, length = 1 << 20): Promise<Uint8Array> =>
  result((done) => disk.read(path, offset, length, done));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a file open for appending', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), bytes: fc.uint8Array({ maxLength: 3000 }) }),
    fc.record({ kind: fc.constant('truncate' as const), length: fc.nat(4000) }),
    fc.record({ kind: fc.constant('sync' as const) }),
  );

  test('carries out calls in their order, however many are made at once', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
        const path = `file-${run++}`;
        const file = await open(path);
        const finished: number[] = [];
        let model = new Uint8Array(0);
        const calls = operations.map(async (each, index) => {
          await result((done) => {
            if (each.kind === 'append') file.append(each.bytes, done);
            else if (each.kind === 'truncate') file.truncate(each.length, done);
            else file.sync(done);
          });
          finished.push(index);
        });
        for (const each of operations) {
          if (each.kind === 'append') model = Uint8Array.from([...model, ...each.bytes]);
          if (each.kind === 'truncate') {
            const cut = new Uint8Array(each.length);
            cut.set(model.subarray(0, each.length));
            model = cut;
          }
        }
        await Promise.all([...calls, result((done) => file.close(done))]);
        expect(finished).toEqual(operations.map((_, index) => index));
        expect(fs.readFileSync(nodePath.join(root, path))).toEqual(Buffer.from(model));
      }),
      { numRuns: 60 },
    );
  });

  test('goes on at the end of a file that was there', async () => {
    fs.writeFileSync(nodePath.join(root, 'log'), 'before ');
    const file = await open('log');
    await result((done) => file.append(utf8('after'), done));
    await result((done) => file.close(done));
    expect(new TextDecoder().decode(await read('log'))).toBe('before after');
  });

  test('says that it is closed', async () => {
    const file = await open('log');
    await result((done) => file.close(done));
    const error = await failure(result((done) => file.append(utf8('late'), done)));
    expect(error.code).toBe('EBADF');
    expect(error.message).toContain(nodePath.join(root, 'log'));
    expect((await failure(result((done) => file.close(done)))).code).toBe('EBADF');
  });

  test('reports a full disk, and goes on with the calls behind it', async () => {
    fs.symlinkSync('/dev/full', nodePath.join(root, 'full'));
    const file = await open('full');
    const refused = failure(result((done) => file.append(utf8('x'), done)));
    const closed = result((done) => file.close(done));
    const error = await refused;
    expect(error.code).toBe('ENOSPC');
    expect(error.message).toBe(
      `cannot append ${nodePath.join(root, 'full')}: ENOSPC: no space left on device`,
    );
    await closed;
  });
});

describe('reading', () => {
  test('gives what there is, at any offset', async () => {
    const content = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
    fs.writeFileSync(nodePath.join(root, 'data'), content);
    await fc.assert(
      fc.asyncProperty(fc.nat(1200), fc.nat(1200), async (offset, length) => {
        expect(await read('data', offset, length)).toEqual(content.slice(offset, offset + length));
      }),
    );
    expect(await result((done) => disk.size('data', done))).toBe(1000);
  });

  test('tells a missing file from a directory', async () => {
    fs.mkdirSync(nodePath.join(root, 'directory'));
    expect((await failure(read('missing'))).code).toBe('ENOENT');
    expect((await failure(result((done) => disk.size('missing', done)))).code).toBe('ENOENT');
    expect((await failure(result((done) => disk.list('missing', done)))).code).toBe('ENOENT');
    expect((await failure(read('directory'))).code).toBe('EISDIR');
    expect((await failure(result((done) => disk.size('directory', done)))).code).toBe('EISDIR');
    expect((await failure(open('missing/file'))).code).toBe('ENOENT');
  });
});

describe('directories', () => {
  test('are made with their parents, the root too, and made again without harm', async () => {
    disk = createDisk(nodePath.join(root, 'new', 'root'));
    await result((done) => disk.makeDirectory('a/b/c', done));
    await result((done) => disk.makeDirectory('a/b/c', done));
    await result((done) => disk.makeDirectory('.', done));
    await result((done) => disk.syncDirectory('a/b', done));
    await result((done) => disk.syncDirectory('.', done));
    expect(fs.statSync(nodePath.join(root, 'new/root/a/b/c')).isDirectory()).toBe(true);
  });

  test('list their names by code unit, and follow renames and removals', async () => {
    for (const name of ['b', 'é', 'B', '10', '9', 'a']) await open(name);
    await result((done) => disk.rename('b', 'a', done));
    await result((done) => disk.remove('9', done));
    expect(await result<readonly string[]>((done) => disk.list('.', done))).toEqual([
      '10',
      'B',
      'a',
      'é',
    ]);
    expect((await failure(result((done) => disk.remove('9', done)))).code).toBe('ENOENT');
    const error = await failure(result((done) => disk.rename('9', '8', done)));
    expect(error.code).toBe('ENOENT');
    expect(error.message).toContain(`${nodePath.join(root, '9')} to ${nodePath.join(root, '8')}`);
    expect((await failure(result((done) => disk.syncDirectory('none', done)))).code).toBe('ENOENT');
    expect((await failure(result((done) => disk.syncDirectory('a', done)))).code).toBe('ENOTDIR');
    expect((await failure(result((done) => disk.makeDirectory('a/x', done)))).code).toBe('ENOTDIR');
  });
});

test('no path leads out of the root', async () => {
  const outside = ['..', '../x', 'a/../../x', '/etc/passwd', '', 'a//b', './a', 'a/', 'a\0b'];
  for (const path of outside) {
    const calls: Array<Promise<unknown>> = [
      open(path),
      read(path),
      result((done) => disk.size(path, done)),
      result((done) => disk.rename(path, 'x', done)),
      result((done) => disk.rename('x', path, done)),
      result((done) => disk.remove(path, done)),
      result((done) => disk.list(path, done)),
      result((done) => disk.makeDirectory(path, done)),
      result((done) => disk.syncDirectory(path, done)),
      result((done) => disk.lock(path, done)),
    ];
    for (const call of calls) expect((await failure(call)).code).toBe('EINVAL');
  }
});

describe('a lock', () => {
  const locked = (): Promise<FileLock> => result((done) => disk.lock('LOCK', done));

  test('is refused while this process holds it, and free again once released', async () => {
    const first = await locked();
    const error = await failure(locked());
    expect(error.code).toBe('EBUSY');
    expect(error.message).toBe(
      `${nodePath.join(root, 'LOCK')} is locked by a process that is running`,
    );
    await result((done) => first.release(done));
    const second = await locked();
    // The first holder can do no harm to the second.
    await result((done) => first.release(done));
    expect((await failure(locked())).code).toBe('EBUSY');
    await result((done) => second.release(done));
  });

  test('is held against other processes, and ends with the holder, even one that is killed', async () => {
    const module = JSON.stringify(new URL('./disk.ts', import.meta.url).href);
    const program = `
      const { createDisk } = await import(${module});
      createDisk(${JSON.stringify(root)}).lock('LOCK', (error) => console.log(error?.code ?? 'held'));
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [words] = await once(holder.stdout, 'data');
      expect(String(words).trim()).toBe('held');
      expect((await failure(locked())).code).toBe('EBUSY');
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
    const lock = await locked();
    await result((done) => lock.release(done));
  });

  test('says why it could not be taken', async () => {
    const missing = await failure(result((done) => disk.lock('none/LOCK', done)));
    expect(missing.code).toBe('ENOENT');
    fs.mkdirSync(nodePath.join(root, 'directory'));
    const directory = await failure(result((done) => disk.lock('directory', done)));
    expect(directory.code).toBe('EISDIR');
    fs.writeFileSync(nodePath.join(root, 'notes'), 'not a lock but somebody’s file');
    const foreign = await failure(result((done) => disk.lock('notes', done)));
    expect(foreign.code).toBe('EIO');
    expect(fs.readFileSync(nodePath.join(root, 'notes'), 'utf8')).toContain('somebody');
  });
});
