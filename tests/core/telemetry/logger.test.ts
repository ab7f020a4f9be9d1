import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { LogLevel } from '#core/config/settings-log.ts';
import { createLogger, type Logger } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { isSensitiveKey, redactText } from '#core/telemetry/redaction.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

function capture(level: LogLevel = 'trace'): {
  logger: Logger;
  text: () => string;
  lines: () => Record<string, unknown>[];
} {
  const written: string[] = [];
  const logger = createLogger({
    level,
    destination: { write: (line) => void written.push(line) },
    fields: { region: 'test' },
  });
  return {
    logger,
    text: () => written.join(''),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('createLogger()', () => {
  it('writes one JSON object a line with level, ISO time and the fixed fields', () => {
    const { logger, lines } = capture();
    logger.child({ component: 'jobs' }).warn({ queue: 'a' }, 'late');
    const { time, ...line } = lines()[0] ?? {};
    assert.deepEqual(line, {
      level: 'warn',
      service: 'returnit',
      region: 'test',
      component: 'jobs',
      queue: 'a',
      msg: 'late',
    });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('adds the ids of the active span, and none outside of one', async () => {
    const tracing = await startTestTracing();
    const { logger, lines } = capture();
    logger.info('outside');
    const span = await withSpan('work', {}, (active) => {
      logger.info('inside');
      return active.spanContext();
    });
    await tracing.stop();
    const [outside, inside] = lines();
    assert.ok(outside !== undefined && !('trace_id' in outside));
    assert.deepEqual(
      [inside?.['trace_id'], inside?.['span_id'], inside?.['trace_flags']],
      [span.traceId, span.spanId, '01'],
    );
  });

  it('writes neither secrets nor positions, at any depth, in fields, bindings, errors and texts', () => {
    const { logger, text } = capture();
    const canary = 'c4n4ry';
    const error = Object.assign(
      new Error(`cannot reach postgres://app:${canary}@db/x`, { cause: new Error(`Bearer ${canary}-${canary}`) }),
      {
        details: { apiKey: canary, at: [{ Latitude: 52.123456 }] },
      },
    );
    const child = logger.child({ password: canary, driver: { last: { lat: 52.123456, lon: 13.123456 } } });
    child.setBindings({ 'set-cookie': canary });
    child.error(error, 'failed');
    child.info(
      {
        headers: { authorization: canary, cookie: [canary] },
        deep: {
          a: [{ b: { refresh_token: canary, pickupLat: 52.123456, geo: { coordinates: [13.123456, 52.123456] } } }],
        },
        map: new Map([['client_secret', canary]]),
        DATABASE_URL: canary,
        body: `{"latitude": 52.123456, "password": "${canary}"}`,
      },
      `at 52.123456, 13.123456 with token=${canary}`,
    );
    logger.info('read %s', `mqtt://device:${canary}@broker`);
    assert.doesNotMatch(text(), new RegExp(`${canary}|123456`));
    assert.match(text(), /"msg":"failed"/);
    assert.match(text(), /postgres:\/\/\[redacted\]@db\/x/);
  });

  it('does not fail on circles, depth, size and strange values', () => {
    const { logger, lines } = capture();
    const circle: Record<string, unknown> = { name: 'a' };
    circle['self'] = circle;
    let deep: Record<string, unknown> = {};
    for (let index = 0; index < 1000; index += 1) deep = { deep };
    logger.info({
      circle,
      deep,
      many: Array.from({ length: 10_000 }, () => 1),
      big: 1n,
      at: new Date(0),
      bytes: Buffer.alloc(9),
      long: 'x'.repeat(1e6),
    });
    const line = lines()[0] as { circle: unknown; many: unknown[]; big: string; at: string; bytes: string };
    assert.deepEqual(line.circle, { name: 'a', self: '[circular]' });
    assert.equal(line.many.length, 201);
    assert.deepEqual([line.big, line.at, line.bytes], ['1', '1970-01-01T00:00:00.000Z', '[9 bytes]']);
    assert.ok(JSON.stringify(line).length < 20_000);
  });

  it('counts what it writes by level, and not what the level leaves out', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const logger = createLogger({ level: 'info', destination: { write: () => undefined }, metrics });
    logger.debug('no');
    logger.info('yes');
    logger.child({ a: 1 }).error('yes');
    const { body } = await metrics.render();
    assert.match(body, /^returnit_log_messages_total\{level="debug"\} 0$/m);
    assert.match(body, /^returnit_log_messages_total\{level="info"\} 1$/m);
    assert.match(body, /^returnit_log_messages_total\{level="error"\} 1$/m);
  });

  it('has written to standard output what was logged before the process ended', () => {
    const script = `
      import { createLogger, flushLogger } from '#core/telemetry/logger.ts';
      const logger = createLogger({ level: 'info' });
      for (let index = 0; index < 2000; index += 1) logger.info({ index }, 'line');
      await flushLogger(logger);`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    assert.equal(status, 0);
    assert.equal(stdout.trim().split('\n').length, 2000);
  });
});

describe('isSensitiveKey()', () => {
  it('knows secrets and positions by their words', () => {
    for (const key of [
      'lat',
      'LON',
      'lng',
      'pickup_lat',
      'pickupLon',
      'coordinates',
      'X-Api-Key',
      'accessToken',
      'DATABASE_URL',
    ]) {
      assert.ok(isSensitiveKey(key), key);
    }
    for (const key of ['platform', 'latency', 'flat', 'format', 'length', 'longest', 'plugin', 'queue', 'colon']) {
      assert.ok(!isSensitiveKey(key), key);
    }
  });
});

describe('redactText()', () => {
  it('leaves ordinary texts as they are', () => {
    for (const text of [
      'Cannot start: "orders" is in use',
      'took 12.345 ms, then 3.5',
      'https://example.org/a?b=c',
      'version 1.2.3, 4.5.6',
    ]) {
      assert.equal(redactText(text), text);
    }
  });

  it('takes a JSON Web Token out of any text', () => {
    assert.equal(redactText('got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def here'), 'got [redacted] here');
  });
});
