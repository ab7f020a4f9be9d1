import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { loadConfig } from '#core/config/config.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { createDeathStore } from '#core/plugin-host/deaths.ts';
import { createSandboxes } from '#core/plugin-host/sandbox/sandbox.ts';
import { toSandboxLimits, type SandboxLimits } from '#core/plugin-host/sandbox/sandbox-limits.ts';
import type { Death } from '#core/plugin-host/supervisor/death.ts';
import type { InvokeRequest } from '#core/plugin-host/invoke.ts';
import type { SupervisorState } from '#core/plugin-host/supervisor/supervisor-state.ts';
import { createSupervisor, type Supervisor } from '#core/plugin-host/supervisor/supervisor.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createMetrics, type Metrics } from '#core/telemetry/metrics.ts';

const { start: startSandbox } = createSandboxes();
const fixtures = join(import.meta.dirname, '../fixtures/plugins');

/** Shorter than the product's, so that a test waits for hundreds of milliseconds where an operator waits for seconds. */
const shortLimits: Partial<SandboxLimits> = {
  heartbeatMs: 100,
  loopMs: 600,
  profileMs: 100,
  restartDelayMs: 20,
  heapMiB: 64,
  stopTimeoutMs: 5000,
};

export interface SupervisedPluginOptions {
  /** A folder of tests/fixtures/plugins, or an absolute path. */
  readonly folder: string;
  readonly limits?: Partial<SandboxLimits>;
  readonly env?: Readonly<Record<string, string>>;
  readonly read?: readonly string[];
  /** Answers what the fixture calls beyond registrations. */
  readonly invoke?: (request: InvokeRequest, instance: PluginInstance) => unknown;
  readonly traceparent?: () => string | undefined;
  readonly random?: () => number;
}

export interface SupervisedPlugin extends AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly dataDir: string;
  readonly metrics: Metrics;
  readonly calls: InvokeRequest[];
  readonly notes: Omit<InvokeRequest, 'onCancel' | 'timeoutMs'>[];
  readonly nativeDenials: { permission: string; resource: string }[];
  /** Log records. */
  readonly logs: Record<string, unknown>[];
  /** Runs the handler that the plugin registered for this queue with `jobs.work`. */
  run(queue: string, data: unknown, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<unknown>;
  reached(state: SupervisorState): Promise<void>;
  died(): Promise<Death>;
}

/** A real supervised process of a fixture plugin, with a core that records what it is asked. */
export async function supervisePlugin(options: SupervisedPluginOptions): Promise<SupervisedPlugin> {
  const dataDir = await mkdtemp(join(tmpdir(), 'returnit-supervisor-'));
  const calls: InvokeRequest[] = [];
  const notes: SupervisedPlugin['notes'] = [];
  const nativeDenials: SupervisedPlugin['nativeDenials'] = [];
  const logs: Record<string, unknown>[] = [];
  const handlers = new Map<string, number>();
  const metrics = createMetrics({ labelSetsMax: 500, onCollectError: () => {} });
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of String(chunk).split('\n'))
        if (line !== '') logs.push(JSON.parse(line) as Record<string, unknown>);
      done();
    },
  });
  const logger = createLogger({ level: 'debug', fields: {}, metrics, destination });
  const folder = options.folder.startsWith('/') ? options.folder : join(fixtures, options.folder);
  const name = folder.slice(folder.lastIndexOf('/') + 1);

  const supervisor = createSupervisor({
    sandbox: {
      plugin: { name, version: '1.0.0' },
      folder,
      env: options.env ?? {},
      read: options.read ?? [],
      limits: { ...toSandboxLimits(loadConfig({})), ...shortLimits, ...options.limits },
    },
    startSandbox,
    async invoke(instance, request) {
      calls.push(request);
      const args = request.args as { queue?: string; handler?: number };
      if (request.method === 'jobs.work') handlers.set(args.queue ?? '', args.handler ?? 0);
      if (options.invoke !== undefined) return (await options.invoke(request, instance)) ?? null;
      return null;
    },
    note: (_instance, note) => notes.push(note),
    onNativeDenial: (_instance, denial) => nativeDenials.push(denial),
    handlerTrace() {
      const traceparent = options.traceparent?.();
      if (traceparent === undefined) return undefined;
      return { traceparent, continue: (other) => other, end: () => undefined };
    },
    telemetry: { metrics, logger },
    deaths: createDeathStore({ dataDir, keptMax: 3 }),
    now: Date.now,
    random: options.random ?? Math.random,
  });

  return {
    supervisor,
    dataDir,
    metrics,
    calls,
    notes,
    nativeDenials,
    logs,
    async run(queue, data, callOptions) {
      const { instance } = supervisor;
      if (instance === null) throw new AppError('PLUGIN_UNAVAILABLE', `Cannot run ${queue}: there is no process`);
      const input = { id: '1', queue, data, attempt: 1 };
      return instance.handle(handlers.get(queue) ?? 0, input, { timeoutMs: 20_000, ...callOptions });
    },
    reached: (state) =>
      new Promise((resolve) => {
        if (supervisor.state === state) resolve();
        const unsubscribe = supervisor.onStateChange(({ to }) => {
          if (to !== state) return;
          unsubscribe();
          resolve();
        });
      }),
    died: () =>
      new Promise((resolve) => {
        const unsubscribe = supervisor.onStateChange(({ death }) => {
          if (death === undefined) return;
          unsubscribe();
          resolve(death);
        });
      }),
    async [Symbol.asyncDispose]() {
      await supervisor.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
