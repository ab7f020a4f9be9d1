import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createLogger, flushLogger, type Logger, type LoggerOptions } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { idsOf, wideEvent } from '#core/telemetry/wide-event.ts';

type Line = Readonly<Record<string, unknown>>;

function capture(options: Partial<LoggerOptions> = {}): {
  readonly logger: Logger;
  readonly lines: Line[];
  sample(name: string): Promise<string | undefined>;
} {
  const lines: Line[] = [];
  const metrics = createMetrics({ labelSetsMax: 100 });
  const logger = createLogger({
    level: 'info',
    metrics,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Line) },
    ...options,
  });
  return {
    logger,
    lines,
    async sample(name) {
      const { body } = await metrics.render();
      return body
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')
        .at(-1);
    },
  };
}

const repeats = { max: 3, windowMs: 60_000 };
const failure = (code: string): Error => Object.assign(new Error('it is away'), { code });

describe('repeats of a line', () => {
  it('are left out from the fourth on, and one line at the end of the window says how many', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    try {
      const { logger, lines, sample } = capture({ repeats });
      const log = logger.child({ component: 'jobs', plugin: 'orders' });
      for (let index = 0; index < 10; index += 1) log.warn({ err: failure('A'), index }, 'Cannot poll');
      log.warn({ err: failure('B') }, 'Cannot poll');
      log.error({ err: failure('A') }, 'Cannot poll');
      logger.warn({ err: failure('A') }, 'Cannot poll');
      assert.equal(lines.length, 6, 'another code, level or plugin is another line');
      mock.timers.tick(60_000);
      const { time: _, ...last } = lines.at(-1) ?? {};
      assert.deepEqual(last, {
        level: 'warn',
        service: 'returnit',
        plugin: 'orders',
        component: 'jobs',
        code: 'A',
        of: 'Cannot poll',
        repeats: 7,
        windowMs: 60_000,
        msg: 'Repeats of a line were left out',
      });
      assert.equal(lines.length, 7);
      const labels = '{level="warn",part="line",plugin="orders"}';
      assert.equal(await sample(`returnit_log_messages_suppressed_total${labels}`), '7');
      log.warn({ err: failure('A') }, 'Cannot poll');
      assert.equal(lines.length, 8, 'a new window has begun');
    } finally {
      mock.timers.reset();
    }
  });

  it('are told when the logger is flushed before the window ends', async () => {
    const { logger, lines } = capture({ repeats });
    for (let index = 0; index < 5; index += 1) logger.warn('Cannot poll');
    await flushLogger(logger);
    assert.deepEqual([lines.length, lines.at(-1)?.['repeats']], [4, 2]);
  });

  it('are all written below a warning, and without a limit', () => {
    const { logger, lines } = capture({ repeats });
    for (let index = 0; index < 10; index += 1) logger.info('Migrated');
    assert.equal(lines.length, 10);
    const unlimited = capture({ repeats: { max: 0, windowMs: 60_000 } });
    for (let index = 0; index < 10; index += 1) unlimited.logger.warn('Cannot poll');
    assert.equal(unlimited.lines.length, 10);
  });

  it('are counted for a bounded number of kinds, whatever is written', async () => {
    const { logger, lines } = capture({ repeats });
    for (let index = 0; index < 5; index += 1) logger.warn('The first');
    for (let index = 0; index < 1500; index += 1) logger.warn(`Message ${index}`);
    // Pushed out by the others, and told then.
    assert.equal(lines.filter(({ of }) => of === 'The first').length, 1);
    logger.warn('The first');
    assert.equal(lines.at(-1)?.['msg'], 'The first');
    await flushLogger(logger);
    assert.equal(lines.filter(({ of }) => of !== undefined).length, 1);
  });

  it('of the line about one request are written, without their stacks', async () => {
    const { logger, lines, sample } = capture({ repeats });
    for (let index = 0; index < 5; index += 1) {
      logger.error(wideEvent({ index, err: failure('A') }), 'Request failed');
    }
    assert.deepEqual(
      lines.map(({ index }) => index),
      [0, 1, 2, 3, 4],
    );
    const errors = lines.map(({ err }) => err as { stack?: string; code?: string; stackLeftOut?: boolean });
    assert.deepEqual(
      errors.map(({ stack }) => stack === undefined),
      [false, false, false, true, true],
    );
    assert.deepEqual(
      errors.map(({ code, stackLeftOut = false }) => [code, stackLeftOut]),
      [false, false, false, true, true].map((isLeftOut) => ['A', isLeftOut]),
    );
    await flushLogger(logger);
    assert.equal(lines.length, 5, 'nothing is missing, so nothing is told');
    const labels = '{level="error",part="stack",plugin="core"}';
    assert.equal(await sample(`returnit_log_messages_suppressed_total${labels}`), '2');
  });
});

describe('idsOf()', () => {
  it('takes what has the form of an id, and no other text', () => {
    assert.deepEqual(
      idsOf({
        orderId: '0190-a',
        driverId: 'd1.phone',
        note: 'n',
        customerId: 'Jo Doe, 5 Main St',
        paymentId: 7,
        longId: 'x'.repeat(65),
      }),
      { orderId: '0190-a', driverId: 'd1.phone' },
    );
    assert.deepEqual([idsOf(null), idsOf('orderId')], [{}, {}]);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a${index}Id`, 'x']));
    assert.equal(Object.keys(idsOf(many)).length, 8);
  });
});
