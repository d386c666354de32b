import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { OutputBuffer, type Connection, type Listener, type Network } from '../ports.ts';
import { CuttableNetwork } from './cuttable-network.ts';
import { network } from './network.ts';

const ANY = { host: '127.0.0.1', port: 0 };
const opened: Array<() => void> = [];

afterEach(() => {
  for (const close of opened.splice(0)) close();
});

interface Heard {
  text: string;
  isClosed: boolean;
}

function hear(connection: Connection): Heard {
  const heard: Heard = { text: '', isClosed: false };
  connection.start({
    onData: (bytes, start, end) => {
      heard.text += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    },
    onDrain() {},
    onEnd: () => connection.close(),
    onClose: () => {
      heard.isClosed = true;
    },
  });
  opened.push(() => connection.destroy());
  return heard;
}

function say(connection: Connection, text: string): void {
  const output = new OutputBuffer();
  output.append(Buffer.from(text, 'latin1'));
  connection.send(output);
}

async function listen(over: Network): Promise<{ listener: Listener; accepted: Connection[] }> {
  const accepted: Connection[] = [];
  const listener = await new Promise<Listener>((resolve, reject) => {
    const onConnection = (connection: Connection) => accepted.push(connection);
    over.listen(ANY, { onListening: resolve, onConnection, onError: reject });
  });
  opened.push(() => listener.close(() => {}));
  return { listener, accepted };
}

function dial(over: Network, { address }: Listener): Promise<Connection> {
  return new Promise((resolve, reject) => {
    over.connect(address, { onConnect: resolve, onError: reject });
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A round trip that is not cut: what was on its way before has had its chance to arrive. */
async function roundTrip(): Promise<void> {
  const { listener, accepted } = await listen(network);
  const near = await dial(network, listener);
  await until(() => accepted.length === 1);
  const far = hear(accepted[0]);
  say(near, 'x');
  await until(() => far.text === 'x');
  near.destroy();
}

async function pair() {
  const cuttable = new CuttableNetwork(network, () => false);
  const { listener, accepted } = await listen(network);
  const near = await dial(cuttable, listener);
  await until(() => accepted.length === 1);
  const far = accepted[0];
  return { cuttable, near, far, nearHeard: hear(near), farHeard: hear(far), listener, accepted };
}

it('carries all bytes in order, however often it is cut and healed', async () => {
  const step = fc.oneof(
    fc.constantFrom('cut' as const, 'heal' as const),
    fc.record({ by: fc.constantFrom('near', 'far'), text: fc.string({ minLength: 1 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { cuttable, near, far, nearHeard, farHeard } = await pair();
      const said = { near: '', far: '' };
      for (const one of steps) {
        if (typeof one === 'string') {
          cuttable[one]();
          continue;
        }
        const text = Buffer.from(one.text).toString('latin1');
        if (one.by === 'near') {
          said.near += text;
          say(near, text);
        } else {
          said.far += text;
          say(far, text);
        }
      }
      cuttable.heal();
      await until(() => farHeard.text.length >= said.near.length);
      await until(() => nearHeard.text.length >= said.far.length);
      expect(farHeard.text).toBe(said.near);
      expect(nearHeard.text).toBe(said.far);
      near.destroy();
      far.destroy();
    }),
    { numRuns: 50 },
  );
});

it('is silent both ways while it is cut, and says how much waits', async () => {
  const { cuttable, near, far, nearHeard, farHeard } = await pair();
  cuttable.cut();
  say(near, 'from the lonely');
  say(far, 'to the lonely');
  await roundTrip();
  expect([farHeard.text, nearHeard.text]).toEqual(['', '']);
  expect(near.bytesQueued).toBe('from the lonely'.length);
  near.resume();
  await roundTrip();
  expect(nearHeard.text).toBe('');
  cuttable.heal();
  await until(() => farHeard.text !== '' && nearHeard.text !== '');
  expect(near.bytesQueued).toBe(0);
});

it('tells nobody on the other side of a connection that is given up meanwhile', async () => {
  const { cuttable, near, nearHeard, farHeard } = await pair();
  cuttable.cut();
  near.destroy();
  await until(() => nearHeard.isClosed);
  await roundTrip();
  expect(farHeard.isClosed).toBe(false);
  cuttable.heal();
  await until(() => farHeard.isClosed);
});

it('makes no connection while it is cut, nor one that was given up', async () => {
  const { cuttable, listener, accepted } = await pair();
  cuttable.cut();
  const late = dial(cuttable, listener);
  cuttable
    .connect(listener.address, {
      onConnect: () => expect.unreachable('it was cancelled'),
      onError: () => expect.unreachable('it was cancelled'),
    })
    .cancel();
  await roundTrip();
  expect(accepted).toHaveLength(1);
  cuttable.heal();
  hear(await late);
  await until(() => accepted.length === 2);
  await roundTrip();
  expect(accepted).toHaveLength(2);
});

it('hands on what others have connected meanwhile once it heals, and spares what is to be spared', async () => {
  let isSparing = false;
  const cuttable = new CuttableNetwork(network, () => isSparing);
  const inner = await listen(cuttable);
  isSparing = true;
  const clients = await listen(cuttable);
  cuttable.cut();
  hear(await dial(network, inner.listener));
  hear(await dial(network, clients.listener));
  await until(() => clients.accepted.length === 1);
  await roundTrip();
  expect(inner.accepted).toHaveLength(0);
  cuttable.heal();
  await until(() => inner.accepted.length === 1);
});
