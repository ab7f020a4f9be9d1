import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { context, trace } from '@opentelemetry/api';
import Koa from 'koa';
import type { HttpContext, HttpState, HttpStep } from '#core/http/http-context.ts';
import { answering } from '#core/http/middleware/answering.ts';
import { createRequestTelemetry } from '#core/http/request-telemetry.ts';
import { createRouteTable } from '#core/http/route-table.ts';
import { sendAnswer } from '#core/http/send-answer.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import type { Tracing } from '#core/telemetry/tracing.ts';
import { startTestTracing } from '../../support/test-tracing.ts';
import { until } from '../../support/until.ts';

describe('answering', () => {
  const taken: string[] = [];
  const reported: string[] = [];
  const metrics = createMetrics({ labelSetsMax: 10 });
  const step =
    (name: string, run: (ctx: HttpContext) => ReturnType<HttpStep>): HttpStep =>
    (ctx) => {
      taken.push(name);
      return run(ctx);
    };
  let tracing: Tracing;
  let server: ReturnType<Koa['listen']>;
  let url: string;

  before(async () => {
    tracing = await startTestTracing();
    const observe = createRequestTelemetry({
      telemetry: { metrics, logger: createLogger({ level: 'silent' }) },
      routes: createRouteTable(),
      config: { httpSlowRequestMs: 1000, httpActiveUserMs: 60_000 },
    });
    const app = new Koa<HttpState>();
    app.use(
      answering(observe, [
        step('first', () => undefined),
        step('second', (ctx) => {
          if (ctx.path === '/waiting')
            return async () => {
              taken.push(`begins ${isInSpanOf(ctx)}`);
              await setImmediate();
              taken.push(`waited ${isInSpanOf(ctx)}`);
              return undefined;
            };
          if (ctx.path === '/refused') throw new TypeError('Cannot go on: refused');
          // Its telemetry reads the status when all is done.
          if (ctx.path === '/broken') Object.defineProperty(ctx.res, 'statusCode', { get: failToRead, set: ignore });
          sendAnswer(ctx, { status: 200, text: '{}' });
          return 'answered';
        }),
        step('third', (ctx) => {
          taken.push(`goes on ${isInSpanOf(ctx)}`);
          return undefined;
        }),
      ]),
    );
    app.on('error', (error: Error) => reported.push(error.message));
    server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.close();
    await tracing.stop();
  });

  const activeRequests = async (): Promise<string | undefined> =>
    /^http_server_active_requests\{.*\} (\d+)$/m.exec((await metrics.render()).body)?.[1];

  it('takes the steps up to the one that answers', async () => {
    taken.length = 0;
    const response = await fetch(`${url}/answered`);
    assert.equal(response.status, 200);
    assert.deepEqual(taken, ['first', 'second']);
    await until('none is active', async () => (await activeRequests()) === '0');
  });

  it('waits for what a step returns, in the span of the request all the time, and goes on', async () => {
    taken.length = 0;
    const responses = await Promise.all([fetch(`${url}/waiting`), fetch(`${url}/answered`)]);
    assert.deepEqual(
      responses.map(({ status }) => status),
      [404, 200],
    );
    const waiting = ['first', 'second', 'begins true', 'waited true', 'third', 'goes on true'];
    assert.deepEqual(taken.toSorted(), [...waiting, 'first', 'second'].toSorted());
  });

  it('makes a problem of what a step throws, and takes none after it', async () => {
    taken.length = 0;
    const response = await fetch(`${url}/refused`);
    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { code: string }).code, 'INTERNAL');
    assert.deepEqual(taken, ['first', 'second']);
    assert.deepEqual(reported, []);
    await until('none is active', async () => (await activeRequests()) === '0');
  });

  it('ends the span of a request that failed outside of its steps, and says what failed', async () => {
    await fetch(`${url}/broken`).catch(() => undefined);
    await until('Koa is told', () => reported.length > 0);
    assert.deepEqual(reported, ['Cannot read the status']);
    const span = tracing.recentSpans().find(({ statusMessage }) => statusMessage === 'Cannot read the status');
    assert.equal(span?.status, 'error');
    assert.equal(span.attributes['error.type'], 'RangeError');
    assert.equal(span.attributes['http.request.method'], 'GET');
    assert.equal(await activeRequests(), '0');
  });
});

function isInSpanOf({ state }: HttpContext): boolean {
  return trace.getSpan(context.active())?.spanContext().traceId === state.id;
}

function failToRead(): never {
  throw new RangeError('Cannot read the status');
}

function ignore(): void {
  // The answer leaves with the status that it is given.
}
