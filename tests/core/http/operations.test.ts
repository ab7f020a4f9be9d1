import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { loadConfig } from '#core/config/config.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createOperationsServer, type OperationsServer, type Readiness } from '#core/http/operations.ts';
import { createTelemetry, type RunningTelemetry } from '#core/telemetry/telemetry.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { until } from '../../support/until.ts';

const quiet = { write: (): void => undefined };
const config = loadConfig({ OPS_PORT: '0', TRACES_KEPT: '50' });

/** A server whose scrape is these pieces. @returns `lines`: of its log */
async function startWriting(
  t: TestContext,
  pieces: AsyncIterable<string>,
): Promise<{ url: string; lines: readonly string[] }> {
  const lines: string[] = [];
  const logDestination = { write: (line: string): void => void lines.push(line) };
  const telemetry = await createTelemetry(config, { version: '0', logDestination });
  const metrics = { ...telemetry.metrics, write: async () => ({ contentType: 'text/plain', pieces }) };
  const readiness = (): Readiness => ({ ready: true, checks: {} });
  const server = createOperationsServer({ config, telemetry: { ...telemetry, metrics }, readiness });
  const { port } = await server.start();
  t.after(async () => {
    await server.stop();
    await telemetry.stop();
  });
  return { url: `http://127.0.0.1:${port}`, lines };
}

describe('createOperationsServer()', () => {
  let telemetry: RunningTelemetry;
  let server: OperationsServer;
  let base: string;
  let port: number;
  let readiness: () => Readiness = () => ({ ready: true, checks: {} });

  before(async () => {
    telemetry = await createTelemetry(config, { version: '0', logDestination: quiet });
    server = createOperationsServer({ config, telemetry, readiness: () => readiness() });
    ({ port } = await server.start());
    base = `http://127.0.0.1:${port}`;
  });
  after(async () => {
    await server.stop();
    await telemetry.stop();
  });

  it('answers a scrape as text, and as OpenMetrics to whoever asks', async () => {
    const text = await fetch(`${base}/metrics`);
    assert.equal(text.status, 200);
    assert.match(text.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await text.text(), /^process_cpu_seconds_total \d/m);
    const open = await fetch(`${base}/metrics?x=1`, {
      headers: { accept: 'application/openmetrics-text; version=1.0.0' },
    });
    assert.match(open.headers.get('content-type') ?? '', /^application\/openmetrics-text/);
    const body = await open.text();
    assert.match(body, /# EOF\n$/);
    assert.match(body, /^returnit_metrics_scrape_duration_seconds_count [1-9]/m);
    assert.match(body, /^returnit_build_info\{version="0",node_version="v26/m);
  });

  it('cuts a scrape off that cannot be written to its end, and goes on', async (t) => {
    async function* failing(): AsyncGenerator<string, void> {
      yield 'returnit_db_up 1\n';
      await setImmediate();
      throw new Error('no more');
    }
    const { url, lines } = await startWriting(t, failing());
    const scrape = await fetch(`${url}/metrics`);
    await assert.rejects(scrape.text());
    assert.equal((await fetch(`${url}/livez`)).status, 200);
    assert.match(lines.join(''), /"component":"operations".*Cannot write metrics/);
  });

  it('says nothing of one who goes away in the middle of a scrape', async (t) => {
    let written = 0;
    async function* endless(): AsyncGenerator<string, void> {
      for (;;) {
        written += 1;
        yield 'x'.repeat(65_536);
        await setImmediate();
      }
    }
    const { url, lines } = await startWriting(t, endless());
    const leaving = new AbortController();
    await fetch(`${url}/metrics`, { signal: leaving.signal });
    leaving.abort();
    const isOver = async (): Promise<boolean> => {
      const before = written;
      await wait(50);
      return written === before;
    };
    await until('nothing more is written', isOver);
    assert.deepEqual(lines, []);
  });

  it('is alive whatever its readiness is', async () => {
    readiness = () => ({ ready: false, checks: {} });
    const response = await fetch(`${base}/livez`);
    assert.deepEqual([response.status, await response.json()], [200, { status: 'alive' }]);
  });

  it('tells readiness by component and plugin, 503 when something required is missing', async () => {
    readiness = () => ({
      ready: true,
      checks: {
        database: { ready: true, state: 'up' },
        'plugin:orders': { ready: false, state: 'quarantined', detail: '3 deaths', required: false },
      },
    });
    const ready = await fetch(`${base}/readyz`);
    assert.equal(ready.status, 200);
    assert.deepEqual(await ready.json(), {
      status: 'ready',
      checks: [
        { name: 'database', ready: true, state: 'up' },
        { name: 'plugin:orders', ready: false, state: 'quarantined', detail: '3 deaths', required: false },
      ],
    });
    readiness = () => ({ ready: false, checks: { database: { ready: false, state: 'down' } } });
    const missing = await fetch(`${base}/readyz`);
    assert.equal(missing.status, 503);
    assert.equal(((await missing.json()) as { status: string }).status, 'not ready');
  });

  it('shows the newest traces, and the spans of one, parents first', async () => {
    const traceId = await withSpan('GET /orders', { kind: 'server' }, async (span) => {
      await withSpan('db.query', { kind: 'client' }, () => undefined);
      return span.spanContext().traceId;
    });
    const list = (await (await fetch(`${base}/traces`)).json()) as {
      exported: boolean;
      traces: { traceId: string; spans: number }[];
    };
    assert.equal(list.exported, false);
    assert.equal(list.traces.find((trace) => trace.traceId === traceId)?.spans, 2);
    const one = (await (await fetch(`${base}/traces/${traceId}`)).json()) as {
      spans: { name: string; depth: number }[];
    };
    assert.deepEqual(
      one.spans.map(({ name, depth }) => [name, depth]),
      [
        ['GET /orders', 0],
        ['db.query', 1],
      ],
    );
  });

  it('answers problem details for unknown paths, traces and methods', async () => {
    for (const [path, method, status, code] of [
      ['/nothing', 'GET', 404, 'NOT_FOUND'],
      [`/traces/${'a'.repeat(32)}`, 'GET', 404, 'NOT_FOUND'],
      ['/traces/../metrics2', 'GET', 404, 'NOT_FOUND'],
      ['/metrics', 'POST', 405, 'METHOD_NOT_ALLOWED'],
    ] as const) {
      const response = await fetch(`${base}${path}`, { method });
      assert.equal(response.status, status);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      assert.equal(((await response.json()) as { code: string }).code, code);
    }
  });

  it('answers HEAD without a body', async () => {
    const response = await fetch(`${base}/livez`, { method: 'HEAD' });
    assert.deepEqual([response.status, await response.text()], [200, '']);
  });

  it('answers 500 and goes on when a check fails', async () => {
    readiness = () => {
      throw new Error('broken check');
    };
    const response = await fetch(`${base}/readyz`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /broken check/);
    assert.equal((await fetch(`${base}/livez`)).status, 200);
  });

  it('says which port is in use and which variable changes it', async () => {
    const second = createOperationsServer({ config: { opsHost: '127.0.0.1', opsPort: port }, telemetry, readiness });
    await assert.rejects(
      second.start(),
      (error) =>
        error instanceof AppError &&
        error.code === 'PORT_IN_USE' &&
        error.message.includes(String(port)) &&
        error.message.includes('OPS_PORT'),
    );
    await second.stop();
  });
});
