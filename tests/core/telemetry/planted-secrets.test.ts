/** Secrets planted wherever a text or a value can come from, and looked for wherever it can go. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { context, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { AppError } from '#core/errors/app-error.ts';
import { toProblem } from '#core/http/problem-details.ts';
import { logJob } from '#core/jobs/job-log.ts';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import { createLogger, type Logger } from '#core/telemetry/logger.ts';
import { startTracing, withSpan, type Tracing } from '#core/telemetry/tracing.ts';
import { assertNoSecret, secretFields, secretTexts } from '../../support/planted-secrets.ts';
import { startOtlpReceiver } from '../../support/otlp-receiver.ts';
import { createTestTelemetry } from '../plugin-host/test-telemetry.ts';

function capture(): { readonly logger: Logger; readonly text: () => string } {
  const lines: string[] = [];
  const logger = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
  return { logger, text: () => lines.join('') };
}

/** An error as a library throws it: the secret is in the message, the stack, a member and the cause. */
function failureWith(text: string): Error {
  const cause = new Error(`inside: ${text}`, { cause: { text, headers: secretFields } });
  return Object.assign(new Error(`marker: ${text}`, { cause }), {
    code: 'ECONNREFUSED',
    request: { url: text, headers: { ...secretFields } },
  });
}

describe('secrets in a log', () => {
  for (const { kind, text } of secretTexts) {
    it(`${kind}: is seen in no line`, () => {
      const { logger, text: written } = capture();
      logger.info(`marker-text ${text} end`);
      logger.info({ marker: 'marker-field', text, list: [text, [text]], deep: { a: [{ b: { text } }] } });
      logger.info({ map: new Map([['a', text]]), set: new Set([text]), [text]: 'as a key' }, 'marker-key');
      logger.info('marker-format %s and %j', text, { text });
      logger.child({ note: text, component: 'http' }).warn({ err: failureWith(text) }, 'marker-error');
      logger.error(failureWith(text), text);
      logger.error(Object.assign(new Error('marker-name'), { name: text }));
      if (URL.canParse(text)) logger.info({ url: new URL(text) });
      for (const marker of ['text', 'field', 'key', 'format', 'error', 'name'])
        assert.ok(written().includes(`marker-${marker}`), marker);
      assertNoSecret('the log', written());
    });
  }

  it('are known by the names of their fields, in every form in which names stand', () => {
    const { logger, text } = capture();
    const entries = Object.entries(secretFields);
    const headers = entries.filter(([name]) => /^(?:Authorization|Set-Cookie|x-api-key)$/.test(name));
    logger.info({ ...secretFields, nested: [{ deep: secretFields }], map: new Map(entries) }, 'marker');
    logger.info({ pairs: entries.map(([name, value]) => ({ name, value })), tuples: headers, raw: headers.flat() });
    logger.child(secretFields).info({ err: Object.assign(new Error('x'), secretFields) });
    logger.info({ card: 4_242_424_242_424_242 });
    assert.match(text(), /marker/);
    assertNoSecret('the log', text());
    assert.ok(!text().includes('4242424242424242'));
  });

  it('are not seen where a text was cut', () => {
    for (const { text, canary } of secretTexts.filter(({ kind }) => /key|token|secret|JWT|password$/.test(kind))) {
      const { logger, text: written } = capture();
      // The cut is in the middle of the secret.
      logger.info(`${'x '.repeat(4096 - Math.ceil(text.length / 2) / 2)}${text}`);
      assert.ok(!written().includes(canary.slice(0, 16)), text);
    }
  });

  it('are not seen in the line about a job, whatever its data', () => {
    const { logger, text } = capture();
    const source = { plugin: 'orders', queue: 'orders.expire' };
    for (const [index, { text: planted }] of secretTexts.entries()) {
      logJob(logger, source, {
        job: { id: `job-${index}`, retryCount: 0, data: { ...secretFields, orderId: planted, keyId: planted } },
        failure: { error: new AppError('PLUGIN_FAILED', planted, { cause: failureWith(planted) }) },
        added: {},
        outcome: 'dead_letter',
        waitedMs: 1,
        durationMs: 1,
      });
    }
    assert.match(text(), /Job failed for the last time/);
    assertNoSecret('the line about a job', text());
  });
});

describe('secrets in a trace', () => {
  const options = { tracesKept: 1000, version: '0', environment: 'test', region: 'test' };

  async function plant(): Promise<void> {
    for (const { text } of secretTexts) {
      const attributes = { ...secretFields, text, list: ['a', text] };
      await withSpan(`marker ${text}`, { kind: 'server', attributes }, () => {
        const span = trace.getSpan(context.active()) as Span;
        span.setAttributes({ 'url.full': text, 'db.query.text': `select '${text}'`, ...secretFields });
        span.addEvent(`event ${text}`, { ...attributes });
        span.recordException(failureWith(text));
        span.setStatus({ code: SpanStatusCode.ERROR, message: text });
      });
      await withSpan('failing', {}, () => Promise.reject(failureWith(text))).catch(() => undefined);
    }
  }

  it('are not shown on the operations port', async () => {
    const tracing: Tracing = await startTracing({ ...options, otlpEndpoint: null });
    await plant();
    const spans = tracing.recentSpans();
    await tracing.stop();
    assert.equal(spans.length, 2 * secretTexts.length);
    assertNoSecret('a trace', JSON.stringify(spans));
  });

  it('do not leave by OTLP', async () => {
    const receiver = await startOtlpReceiver();
    const tracing = await startTracing({ ...options, otlpEndpoint: receiver.url });
    await plant();
    await tracing.stop();
    await receiver.stop();
    assert.equal(receiver.spans.length, 2 * secretTexts.length);
    const text = JSON.stringify(receiver.spans);
    assert.match(text, /marker.*exception\.stacktrace/);
    assertNoSecret('an exported span', text);
  });
});

describe('secrets in the audit', () => {
  it('are in no record and no line', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'returnit-planted-'));
    const telemetry = createTestTelemetry();
    const audit = createAudit({ dir, config: { auditFileMaxBytes: 1e9 }, telemetry });
    const plugin = { name: 'orders', version: '1.0.0' };
    for (const { text } of secretTexts) {
      const access = { permission: 'net', resource: text } as const;
      audit.denied({ plugin, access, rule: `granted: ${text}`, source: 'door' });
      audit.nativeDenied({ plugin, permission: text, resource: `/srv/${text}` });
      audit.grantChanged({ plugin, access, decision: 'grant', rule: text });
      audit.accessChanged({ plugin, method: 'mqtt.issue', decision: 'issue', resource: text, rule: text });
      audit.settingChanged({ plugin, setting: 'log-level', resource: text, rule: text });
    }
    audit.stop();
    const text = readdirSync(dir)
      .map((file) => readFileSync(join(dir, file), 'utf8'))
      .join('');
    await rm(dir, { recursive: true, force: true });
    assert.equal(text.trim().split('\n').length, 5 * secretTexts.length);
    assertNoSecret('the audit', text);
    assertNoSecret('the log of the audit', JSON.stringify(telemetry.lines));
  });
});

describe('secrets in what a caller is answered', () => {
  it('are not in the problem of a failure of the server', () => {
    const place = { instance: '/orders', traceId: '0'.repeat(32) };
    for (const { kind, text } of secretTexts) {
      for (const error of [failureWith(text), text, new AppError('PLUGIN_FAILED', text, { details: { text } })]) {
        const problem = toProblem(error, place);
        assert.ok(problem.status >= 500, kind);
        assertNoSecret('a problem', JSON.stringify(problem));
      }
    }
  });
});
