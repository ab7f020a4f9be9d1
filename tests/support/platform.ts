/** A whole platform in this process, on a temporary folder and free ports, as a test sees it: from outside. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from '#plugin-api';
import { startApp, type App } from '#core/app.ts';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import type { TreeSpan } from '#core/telemetry/trace-tree.ts';
import { createApi, createApiChecks, type Api } from './api-client.ts';
import type { OpenApi } from './openapi-check.ts';
import { copyProject, projectDir } from './project-copy.ts';
import { until } from './until.ts';

export interface PlatformOptions {
  readonly config?: Partial<Config>;
  /** Plugins of tests/fixtures/platform, in a copy of the project; all that they ask for is granted. */
  readonly fixtures?: readonly string[];
  /** Hosts that plugins may reach beside those that they ask for; with `fixtures`. */
  readonly netHosts?: Readonly<Record<string, readonly string[]>>;
  /** @default a new one, removed at stop */
  readonly dataDir?: string;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly trace_id?: string;
  readonly plugin?: string;
  readonly [field: string]: unknown;
}

export interface TestPlatform {
  readonly app: App;
  readonly config: Config;
  readonly dataDir: string;
  /** Everything that was logged, as written. */
  readonly logText: () => string;
  readonly logs: readonly LogLine[];
  token(role: Role, subject: string, expiresInSeconds?: number): Promise<string>;
  /** The API as somebody; every answer is checked against its description. */
  as(role: Role, subject: string): Promise<Api>;
  /** The API without a token, or with this one. */
  anonymous(token?: string): Api;
  openApi(): Promise<OpenApi>;
  /** The text of an operations page. */
  ops(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** The value of one sample of /metrics by its whole name with labels; 0 when it is not there. */
  sample(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** The finished spans of a trace, as the operations port shows them. */
  trace(traceId: string): Promise<readonly TreeSpan[]>;
  reached(plugin: string, state: string): Promise<void>;
  /** Waits until a plugin has died this often, ever. */
  died(plugin: string, times: number): Promise<void>;
  deathsOf(plugin: string): number;
  /** `kill -9` of the plugin's process; resolves when that is known. */
  kill(plugin: string): Promise<void>;
  stop(): Promise<void>;
}

/** Stops everything, also when the test file fails: to be called in `after`. */
export async function startPlatform(options: PlatformOptions = {}): Promise<TestPlatform> {
  const ownDir = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'returnit-platform-')) : undefined;
  const dataDir = options.dataDir ?? ownDir ?? '';
  const project =
    options.fixtures === undefined
      ? undefined
      : await copyProject({ fixtures: options.fixtures, netHosts: options.netHosts ?? {} });
  const written: string[] = [];
  const logs: LogLine[] = [];
  const config = loadConfig(
    {},
    {
      httpPort: 0,
      mqttPort: 0,
      opsPort: 0,
      dataDir,
      ...options.config,
    },
  );
  const app = await startApp({
    config,
    admission: { projectDir: project?.dir ?? projectDir, flags: [] },
    logDestination: {
      write(line) {
        written.push(line);
        logs.push(JSON.parse(line) as LogLine);
      },
    },
  });
  const { api: url, ops } = app.addresses;
  const checks = createApiChecks(url);
  const token: TestPlatform['token'] = (role, subject, expiresInSeconds = 3600) =>
    app.authenticator.issueToken({ role, subject, expiresInSeconds });
  const page: TestPlatform['ops'] = async (path) => {
    const response = await fetch(`${ops}${path}`, { signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: await response.text() };
  };

  const deathsOf = (plugin: string): number =>
    logs.filter(({ msg }) => msg.startsWith(`plugin ${plugin} died of `)).length;

  return {
    app,
    config,
    dataDir,
    logText: () => written.join(''),
    logs,
    token,
    as: async (role, subject) => createApi({ url, token: await token(role, subject), check: checks.check }),
    anonymous: (given) => createApi({ url, token: given, check: checks.check }),
    openApi: checks.document,
    ops: page,
    sample: async (name, labels = {}) => readSample((await page('/metrics')).text, name, labels),
    async trace(traceId) {
      const { status, text } = await page(`/traces/${traceId}`);
      return status === 200 ? (JSON.parse(text) as { spans: TreeSpan[] }).spans : [];
    },
    async reached(plugin, state) {
      await until(`${plugin} is ${state}`, () => app.plugins().find(({ name }) => name === plugin)?.state === state);
    },
    deathsOf,
    async kill(plugin) {
      const before = deathsOf(plugin);
      const ready = logs.findLast(({ msg }) => msg === `plugin ${plugin} is ready`);
      process.kill(Number(ready?.['pid']), 'SIGKILL');
      await until(`${plugin} has died`, () => deathsOf(plugin) > before);
    },
    async died(plugin, times) {
      await until(`${plugin} has died ${times} times`, () => deathsOf(plugin) >= times);
    },
    async stop() {
      await app.stop();
      await project?.remove();
      if (ownDir !== undefined) await rm(ownDir, { recursive: true, force: true });
    },
  };
}

/** Name, labels whose values may hold anything, and then it. */
const sampleValue = /^[^{ ]+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? (\S+)/;

/** The sum of all samples of this name whose labels hold these. */
export function readSample(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((pair) => line.includes(`{${pair}`) || line.includes(`,${pair}`)))
    .reduce((sum, line) => sum + Number(sampleValue.exec(line)?.[1] ?? 0), 0);
}
