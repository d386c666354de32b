import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RpcHandler, RpcSession } from './index.ts';
import { CachectlError } from '../cluster/errors.ts';
import { Echo, follower, Outcomes, PORT, RpcWorld } from './test-support.ts';

const json = fc.jsonValue({ maxDepth: 4 });

describe('a call', () => {
  test('brings any JSON there and back, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 8 }), fc.nat(), (bodies, seed) => {
        const world = new RpcWorld({ seed, network: { split: [1, 2] } });
        const echo = new Echo();
        world.serve('m1', echo);
        const client = world.client(['m1']);
        const outcomes = new Outcomes();
        for (const body of bodies) client.call('echo.it', body, 1000, outcomes.take);
        world.run(2000);
        const expected = bodies.map((body) => ({
          ok: true,
          body: { method: 'echo.it', body: JSON.parse(JSON.stringify(body)) as unknown },
        }));
        expect(outcomes.all).toEqual(expected);
        client.close();
      }),
      { numRuns: 50 },
    );
  });

  test('has one outcome by its deadline, whatever the network does', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.boolean(), { maxLength: 30 }), (seed, idempotent) => {
        const faults = { split: [1, 3], reset: [1, 40], loss: [1, 20] } as const;
        const world = new RpcWorld({ seed, network: faults });
        const echoes = ['m1', 'm2', 'm3'].map((name) => {
          const echo = new Echo();
          world.serve(name, echo);
          return echo;
        });
        const client = world.client(['m1', 'm2', 'm3']);
        const outcomes: Outcomes[] = [];
        for (const [index, isIdempotent] of idempotent.entries()) {
          const outcome = new Outcomes();
          outcomes.push(outcome);
          client.call('count', index, 400, outcome.take, { isIdempotent });
          world.run(20);
        }
        world.run(500);
        const carriedOut = echoes.flatMap(({ calls }) => calls.map(({ body }) => body));
        for (const [index, { all, error }] of outcomes.entries()) {
          expect(all).toHaveLength(1);
          const times = carriedOut.filter((body) => body === index).length;
          if (!idempotent[index]) expect(times).toBeLessThanOrEqual(1);
          if (error === undefined) expect(times).toBeGreaterThan(0);
          else if (times > 0) expect(error.details?.['maybeApplied']).toBe(true);
        }
        client.close();
      }),
      { numRuns: 100 },
    );
  });

  test('follows the servers to the one that leads', () => {
    const world = new RpcWorld();
    const echo = new Echo();
    world.serve(
      'm1',
      follower(() => `m3:${PORT}`),
    );
    world.serve(
      'm2',
      follower(() => `m3:${PORT}`),
    );
    world.serve('m3', echo);
    const client = world.client(['m1', 'm2']);
    const outcomes = new Outcomes();
    client.call('a', 1, 1000, outcomes.take);
    client.call('b', 2, 1000, outcomes.take);
    world.run(1000);
    expect(outcomes.all.map(({ ok }) => ok)).toEqual([true, true]);
    expect(echo.calls.map(({ method }) => method).sort()).toEqual(['a', 'b']);
  });

  test('names who answered where its time is up while a server without a leader keeps it', () => {
    const world = new RpcWorld();
    let calls = 0;
    world.serve('m1', {
      onCall(...call) {
        calls++;
        if (calls === 1) follower(() => null).onCall(...call);
      },
    });
    const client = world.client(['m1', 'm2']);
    const outcomes = new Outcomes();
    client.call('a', 1, 1500, outcomes.take);
    world.run(1600);
    expect(calls).toBe(2);
    expect(outcomes.error).toMatchObject({
      code: 'ERR_CACHECTL_NO_QUORUM',
      details: { answered: ['m1:7500'], silent: ['m2:7500'], maybeApplied: true },
    });
  });

  test('waits for a leader, and names who answered when there is none', () => {
    const world = new RpcWorld();
    let leader: string | null = null;
    const echo = new Echo();
    world.serve(
      'm1',
      follower(() => leader),
    );
    world.serve(
      'm2',
      follower(() => leader),
    );
    world.serve('m4', echo);
    const client = world.client(['m1', 'm2', 'm3']);
    const outcomes = new Outcomes();
    client.call('a', 1, 1500, outcomes.take);
    world.run(1600);
    expect(outcomes.error).toMatchObject({
      code: 'ERR_CACHECTL_NO_QUORUM',
      details: { answered: expect.arrayContaining(['m1:7500', 'm2:7500']), maybeApplied: false },
    });
    expect(outcomes.error?.message).toContain('m3:7500 did not');
    client.call('b', 2, 2000, outcomes.take);
    world.run(500);
    leader = `m4:${PORT}`;
    world.run(1500);
    expect(outcomes.last).toMatchObject({ ok: true });
  });

  test.each([false, true])(
    'is made again where a server finds no majority, unless it may be applied: %s',
    (maybeApplied) => {
      const world = new RpcWorld();
      let calls = 0;
      world.serve('m1', {
        onCall: (_session, _method, _body, answer) => {
          calls++;
          const options = { details: { answered: ['m1'], maybeApplied } };
          const error = new CachectlError('ERR_CACHECTL_NO_QUORUM', 'no majority', options);
          answer(calls < 4 ? { ok: false, error } : { ok: true, body: calls });
        },
      });
      const client = world.client(['m1', 'm2']);
      const outcomes = new Outcomes();
      client.call('a', 1, 5000, outcomes.take);
      world.run(5100);
      if (maybeApplied) expect(outcomes.error?.code).toBe('ERR_CACHECTL_NO_QUORUM');
      else expect(outcomes.last).toEqual({ ok: true, body: 4 });
      expect(calls).toBe(maybeApplied ? 1 : 4);
    },
  );

  test('servers that name each other are not asked without end', () => {
    const world = new RpcWorld();
    let asked = 0;
    const name = (other: string) => () => {
      asked++;
      return `${other}:${PORT}`;
    };
    world.serve('m1', follower(name('m2')));
    world.serve('m2', follower(name('m1')));
    const client = world.client(['m1', 'm2']);
    const outcomes = new Outcomes();
    client.call('a', 1, 2000, outcomes.take);
    world.run(2100);
    expect(outcomes.error?.code).toBe('ERR_CACHECTL_NO_QUORUM');
    expect(asked).toBeLessThan(100);
  });

  test('whose server dies is said to be possible, or made again', () => {
    for (const isIdempotent of [false, true]) {
      const world = new RpcWorld({ seed: 3 });
      const echo = new Echo();
      const names = ['m1', 'm2'];
      const silent: RpcHandler = { onCall: () => world.simulation.processNamed('m1')?.kill() };
      world.serve('m1', silent);
      world.serve('m2', echo);
      const client = world.client(names);
      const outcomes = new Outcomes();
      // Whichever server comes first: the silent one is met in one of two calls.
      for (let call = 0; call < 2; call++) {
        client.call('a', 1, 1000, outcomes.take, { isIdempotent });
        world.run(1100);
      }
      if (isIdempotent) expect(outcomes.all.every(({ ok }) => ok)).toBe(true);
      else if (outcomes.error !== undefined) {
        expect(outcomes.error.details).toEqual({ maybeApplied: true });
      }
      client.close();
    }
  });

  test('leaves a server that takes connections and has stopped', () => {
    const world = new RpcWorld();
    const first = world.serve('m1', new Echo());
    const client = world.client(['m1']);
    const outcomes = new Outcomes();
    client.call('a', 1, 1000, outcomes.take);
    world.run(100);
    expect(outcomes.last?.ok).toBe(true);
    first.pause();
    client.call('b', 1, 5000, outcomes.take);
    world.run(2000);
    expect(outcomes.error).toMatchObject({ code: 'ERR_CACHECTL_CONNECT' });
    expect(outcomes.error?.message).toContain('silent');
  });

  test('beyond the limit fails at once, and after close too', () => {
    const world = new RpcWorld();
    const client = world.client(['nobody'], { limits: { callsMax: 2 } });
    const outcomes = new Outcomes();
    for (let call = 0; call < 3; call++) client.call('a', call, 300, outcomes.take);
    world.run(10);
    expect(outcomes.error?.code).toBe('ERR_CACHECTL_OVERLOADED');
    world.run(400);
    expect(outcomes.error?.code).toBe('ERR_CACHECTL_CONNECT');
    expect(outcomes.error?.details).toEqual({ maybeApplied: false });
    client.call('a', 1, 300, outcomes.take);
    client.close();
    expect(outcomes.error?.code).toBe('ERR_CACHECTL_CLOSED');
    client.call('a', 1, 300, outcomes.take);
    world.run(10);
    expect(outcomes.all).toHaveLength(5);
  });

  test('with a wrong token, or none, is refused as such', () => {
    const world = new RpcWorld();
    const echo = new Echo();
    world.serve('m1', echo, { token: 'sesame' });
    const outcomes = new Outcomes();
    for (const token of [undefined, 'open', 'sesame']) {
      const client = world.client(['m1'], { token });
      client.call('a', 1, 500, outcomes.take);
      world.run(600);
      client.close();
    }
    const codes = outcomes.all.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code));
    expect(codes).toEqual(['ERR_CACHECTL_AUTH', 'ERR_CACHECTL_AUTH', 'ok']);
    expect(echo.calls).toHaveLength(1);
  });
});

describe('pushes', () => {
  test('arrive in order while a session lasts, and a new session is said to be one', () => {
    const world = new RpcWorld({ network: { split: [1, 2] } });
    const sessions: RpcSession[] = [];
    const closed: number[] = [];
    const server = world.serve('m1', {
      onCall: (session, _method, _body, answer) => {
        sessions.push(session);
        for (let number = 0; number < 5; number++) session.push('count', number);
        answer({ ok: true, body: null });
      },
      onClose: ({ id }) => closed.push(id),
    });
    const events: unknown[] = [];
    const client = world.client(['m1'], {
      onPush: (topic, body) => events.push([topic, body]),
      onState: ({ kind }) => events.push(kind),
    });
    client.call('begin', null, 500, () => events.push('answered'));
    world.run(100);
    const counted = [0, 1, 2, 3, 4].map((number) => ['count', number]);
    expect(events).toEqual(['connected', ...counted, 'answered']);
    server.kill();
    world.run(100);
    server.start();
    world.run(2000);
    expect(events.at(-1)).toBe('connected');
    client.close();
    world.run(100);
    expect(closed).toHaveLength(1);
  });
});
