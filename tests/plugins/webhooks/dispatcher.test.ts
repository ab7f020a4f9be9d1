import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { startDispatcher, type Dispatcher } from '../../../plugins/webhooks/dispatcher.ts';
import { until } from '../../support/until.ts';

interface Work {
  readonly name: string;
  readonly failing: boolean;
}

/** Work that ends when the test says so. */
function fake(options: { readonly concurrency?: number; readonly pollMs?: number } = {}) {
  const due: Work[] = [];
  const running = new Map<string, () => void>();
  const errors: unknown[] = [];
  const looks = { count: 0, failures: 0 };
  const dispatcher = startDispatcher<Work>({
    concurrency: options.concurrency ?? 4,
    pollMs: options.pollMs ?? 60_000,
    claim({ failing, limit }) {
      looks.count += 1;
      if (looks.failures > 0) {
        looks.failures -= 1;
        return Promise.reject(new Error('database'));
      }
      const picked = due.filter((work) => work.failing === failing).slice(0, limit);
      for (const work of picked) due.splice(due.indexOf(work), 1);
      return Promise.resolve(picked);
    },
    deliver: ({ name }, signal) =>
      new Promise((resolve, reject) => {
        running.set(name, () => resolve(undefined));
        signal.addEventListener('abort', () => reject(new Error(`${name} aborted`)));
      }),
    onError: (error) => errors.push(error),
  });
  started.push(dispatcher);
  const end = (name: string): void => {
    running.get(name)?.();
    running.delete(name);
  };
  const add = (...works: Work[]): void => {
    due.push(...works);
    dispatcher.wake();
  };
  return { dispatcher, due, running, errors, looks, end, add };
}

const started: Dispatcher[] = [];
const healthy = (name: string): Work => ({ name, failing: false });
const failing = (name: string): Work => ({ name, failing: true });

describe('startDispatcher()', () => {
  afterEach(async () => {
    for (const dispatcher of started.splice(0)) await dispatcher.stop(0);
  });

  it('has no more under way than it may, and goes on as soon as one ends', async () => {
    const { running, add, end } = fake({ concurrency: 3 });
    add(...'abcdef'.split('').map(healthy));
    await until('three run', () => running.size === 3);
    assert.deepEqual([...running.keys()], ['a', 'b', 'c']);
    end('b');
    await until('the next one runs', () => running.has('d'));
    assert.equal(running.size, 3);
  });

  it('leaves half of the room to endpoints that work, however many fail', async () => {
    const { running, due, add } = fake({ concurrency: 4 });
    add(...'abcdef'.split('').map(failing));
    await until('two run', () => running.size === 2);
    assert.equal(due.length, 4);
    add(healthy('x'), healthy('y'));
    await until('the healthy ones run at once', () => running.has('x') && running.has('y'));
  });

  it('looks again after the poll when nobody wakes it, and after an error', async () => {
    const { running, due, looks, errors } = fake({ pollMs: 5 });
    await until('it rests', () => looks.count >= 2);
    looks.failures = 3;
    due.push(healthy('a'));
    await until('it is taken', () => running.has('a'));
    assert.equal(errors.length, 3);
  });

  it('does not lose a wake-up that comes while it looks', async () => {
    const { running, due, dispatcher } = fake();
    // In the same turn as the first look: what becomes due now is not seen by it.
    dispatcher.wake();
    due.push(healthy('a'));
    await until('it is taken', () => running.has('a'));
  });

  it('ends what it has begun, and aborts what does not end in time', async () => {
    const { dispatcher, running, errors, end, add } = fake();
    add(healthy('a'), healthy('b'));
    await until('both run', () => running.size === 2);
    const stopping = dispatcher.stop(50);
    end('a');
    await stopping;
    assert.deepEqual(
      errors.map((error) => (error as Error).message),
      ['b aborted'],
    );
    add(healthy('c'));
    assert.equal(running.has('c'), false);
  });
});
