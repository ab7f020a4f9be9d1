import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { killCores, startCore } from '../../support/core-process.ts';
import { startOtlpReceiver } from '../../support/otlp-receiver.ts';

const mark = 'loaded the SDK: ';

/** A module that says which parts of OpenTelemetry's SDK are loaded, as `--import` takes it. */
const telling = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ load(url, context, next) {
    const part = /node_modules\\/@opentelemetry\\/((?:sdk|exporter|otlp|resources)[^/]*)/.exec(url)?.[1];
    if (part !== undefined) process.stderr.write('${mark}' + part + '\\n');
    return next(url, context);
  } });`)}`;

async function loadedBy(environment: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'returnit-sdk-'));
  try {
    const core = await startCore({
      dataDir,
      nodeFlags: ['--import', telling],
      args: ['--plugins', 'orders'],
      environment,
    });
    await core.end('SIGTERM');
    const lines = core.stderr().split('\n');
    return [...new Set(lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length)))];
  } finally {
    await killCores();
    await rm(dataDir, { recursive: true, force: true });
  }
}

describe("OpenTelemetry's SDK", () => {
  it('is not loaded by a start without a receiver', async () => {
    assert.deepEqual(await loadedBy({}), []);
  });

  it('is loaded by one with a receiver', async () => {
    const receiver = await startOtlpReceiver();
    const loaded = await loadedBy({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    await receiver.stop();
    assert.ok(loaded.includes('sdk-trace'), String(loaded));
    assert.ok(loaded.includes('exporter-trace-otlp-http'), String(loaded));
  });
});
