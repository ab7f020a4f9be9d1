import type { Command } from 'commander';
import { startApp, type App } from '#core/app.ts';
import { logPathOf } from '#core/app/log-file.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { DemoOptions } from './demo/demo.ts';
import { addRunGrantFlags, parseRunGrantFlags } from './grant-flags.ts';
import { formatBanner } from './start-banner.ts';

export interface StartDeps {
  /** Reads the environment again with these on top. */
  readonly loadConfig: (overrides: Partial<Config>) => Config;
  readonly projectDir: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** Resolves at SIGINT or SIGTERM. */
  readonly stopSignal: AbortSignal;
}

interface StartFlags {
  readonly demo?: true;
  readonly trace?: string;
  readonly speed?: string;
  readonly plugins?: string;
  readonly pluginPath?: readonly string[];
}

/** `returnit start`: everything, until a signal. */
export function registerStartCommand(program: Command, deps: StartDeps): void {
  const command = program
    .command('start', { isDefault: true })
    .description('start the core, Postgres, the broker and the plugins')
    .option('--demo', 'book orders and let drivers move')
    .option('--trace <file>', 'with --demo: follow a recorded trace (.gpx, .csv, OwnTracks .ndjson)')
    .option('--speed <factor>', 'with --demo: how much faster than recorded', '1')
    .option('--plugins <names>', 'start these only, comma-separated')
    .option('--plugin-path <dir>', 'a plugin or a folder of plugins from outside the project (repeatable)', collect);
  addRunGrantFlags(command).action((flags: StartFlags) => run(flags, deps));
}

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

async function run(flags: StartFlags, deps: StartDeps): Promise<void> {
  const startedAtMs = performance.now();
  const speed = Number(flags.speed ?? 1);
  if (!(speed > 0 && speed <= 100)) {
    throw new AppError(
      'INVALID_CONFIG',
      `Cannot start the demo: --speed must be above 0 and at most 100: it is "${flags.speed}"`,
    );
  }
  if (flags.trace !== undefined && flags.demo !== true) {
    throw new AppError('INVALID_CONFIG', 'Cannot use --trace without --demo');
  }
  // A trace that cannot be read is told before anything is started.
  const trace = flags.trace === undefined ? undefined : await readTrace(flags.trace);
  const fromEnvironment = deps.loadConfig({});
  const config = deps.loadConfig({
    ...(flags.plugins === undefined ? {} : { plugins: flags.plugins.split(',').map((name) => name.trim()) }),
    pluginPaths: [...fromEnvironment.pluginPaths, ...(flags.pluginPath ?? [])],
  });
  const demo = flags.demo === true;
  const app = await startApp({
    config,
    admission: {
      projectDir: deps.projectDir,
      flags: parseRunGrantFlags(flags as Readonly<Record<string, unknown>>),
      ...(demo ? { environment: await readDemoEnvironment(config) } : {}),
      ...(deps.stdin.isTTY && deps.stdout.isTTY ? { terminal: { input: deps.stdin, output: deps.stdout } } : {}),
    },
  });
  const database = config.databaseUrl === null ? `Postgres 18 in ${config.dataDir}` : 'external (DATABASE_URL)';
  deps.stdout.write(
    formatBanner(app, {
      database,
      logPath: logPathOf(config),
      seconds: (performance.now() - startedAtMs) / 1000,
      demo,
    }),
  );
  try {
    if (demo) await runDemo(app, { speed, ...(trace === undefined ? {} : { trace }) }, deps);
    else await aborted(deps.stopSignal);
  } finally {
    await app.stop();
  }
}

async function readTrace(file: string): Promise<DemoOptions['trace']> {
  const { readTraceFile } = await import('./demo/trace-file.ts');
  return readTraceFile(file);
}

async function readDemoEnvironment({ dataDir }: Config): Promise<Readonly<Record<string, string>>> {
  const { loadDemoEnvironment } = await import('./demo/demo-environment.ts');
  return loadDemoEnvironment(dataDir);
}

async function runDemo(app: App, route: Pick<DemoOptions, 'trace' | 'speed'>, deps: StartDeps): Promise<void> {
  const { startDemo } = await import('./demo/demo.ts');
  const { addresses, authenticator, telemetry } = app;
  const demo = await startDemo({
    ...route,
    apiUrl: addresses.api,
    mqttUrl: addresses.mqtt,
    issueToken: (token) => authenticator.issueToken(token),
    logger: telemetry.logger,
    signal: deps.stopSignal,
  });
  const order = await demo.firstOrder.catch((error: unknown) => {
    if (deps.stopSignal.aborted) return undefined;
    throw error;
  });
  if (order !== undefined) {
    deps.stdout.write(
      `  order     ${order.orderId} is on its way; watch it move:\n` +
        `curl -N -H 'Authorization: Bearer ${order.token}' ${addresses.api}/live/orders/${order.orderId}/position\n`,
    );
  }
  await aborted(deps.stopSignal);
  await demo.done;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
