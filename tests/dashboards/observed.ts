/** The platform with people, drivers and phones on it, watched by a real Prometheus. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toRulesFile } from '../../alerts/rules.ts';
import { freePort } from '../support/external-postgres.ts';
import { startRig, type Rig } from '../support/ingest/rig.ts';
import { startProgram } from '../support/running-program.ts';
import { load } from './load.ts';
import { fillIn } from './promql.ts';

const drivers = 8;
const scrapeSeconds = 1;
const stepSeconds = 2;
/** Where other tests use the machine as well, a driver may wait longer for its order than it has patience. */
const failuresMax = 10;

/** Of a series: its labels and [seconds, value]s. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export interface Observed {
  /** Seconds that `query` has values for. */
  readonly times: readonly number[];
  /** What the run was like, by Prometheus. @throws {Error} with what Prometheus says of the query */
  query(expr: string): Promise<readonly Series[]>;
  /** What a variable has to choose from. */
  choices(query: string): Promise<readonly string[]>;
  /** How many traces the queries' exemplars lead to. */
  exemplars(expr: string): Promise<number>;
  stop(): Promise<void>;
}

interface Answer<Data> {
  readonly status: string;
  readonly error?: string;
  readonly data: Data;
}

/** Runs for so long, and is to be asked then. */
export async function observe(seconds: number): Promise<Observed> {
  const cleanup = new AsyncDisposableStack();
  try {
    return await watch(seconds, cleanup);
  } catch (error) {
    // What was started before it failed.
    await cleanup.disposeAsync();
    throw error;
  }
}

async function watch(seconds: number, cleanup: AsyncDisposableStack): Promise<Observed> {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-observed-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const rig = await startRig({
    devices: drivers,
    plugins: ['orders', 'payments', 'drivers', 'tracking', 'notifications', 'webhooks'],
    environment: { ORDERS_WINDOW_CAPACITY: '10000' },
  });
  cleanup.defer(() => rig.stop());
  const prometheus = await startPrometheus(rig, folder);
  cleanup.defer(() => prometheus.stop());
  const startedAt = Math.floor(Date.now() / 1000);
  const failures = await load(rig, seconds);
  const endedAt = Date.now() / 1000;
  if (failures.length > failuresMax) throw new Error(`The load was not well: ${failures.slice(0, 3).join('; ')}`);

  async function ask<Data>(path: string, params: Readonly<Record<string, string>>): Promise<Data> {
    const url = `${prometheus.url}/api/v1/${path}?${new URLSearchParams(params).toString()}`;
    const answer = (await (await fetch(url)).json()) as Answer<Data>;
    if (answer.status !== 'success') throw new Error(`${answer.error ?? answer.status}: ${params['query'] ?? ''}`);
    return answer.data;
  }
  const toParams = (expr: string): Record<string, string> => ({
    query: fillIn(expr, { job: 'returnit', __rate_interval: '15s', __range: `${Math.ceil(seconds)}s` }),
    start: String(startedAt),
    end: String(endedAt),
  });

  return {
    times: Array.from(
      { length: Math.floor((endedAt - startedAt) / stepSeconds) + 1 },
      (_, n) => startedAt + n * stepSeconds,
    ),
    async query(expr) {
      const { result } = await ask<{ readonly result: readonly Series[] }>('query_range', {
        ...toParams(expr),
        step: String(stepSeconds),
      });
      return result;
    },
    async choices(query) {
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(fillIn(query)) ?? [];
      if (label === '') throw new Error(`Cannot read what a variable asks: "${query}"`);
      return ask<readonly string[]>(`label/${label}/values`, { 'match[]': selector });
    },
    async exemplars(expr) {
      const found = await ask<readonly { readonly exemplars: readonly unknown[] }[]>('query_exemplars', toParams(expr));
      return found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
    },
    stop: () => cleanup.disposeAsync(),
  };
}

/** With the rules' own windows, evaluated as often as it scrapes. */
async function startPrometheus(rig: Rig, folder: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const interval = `${scrapeSeconds}s`;
  writeFileSync(join(folder, 'rules.yml'), toRulesFile().replaceAll(/interval: \d+s/g, `interval: ${interval}`));
  const target = new URL(rig.core.addresses.ops).host;
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: ${interval}, scrape_timeout: ${interval}, evaluation_interval: ${interval} }
rule_files: [rules.yml]
scrape_configs:
  - job_name: returnit
    static_configs: [{ targets: ['${target}'] }]
  - job_name: prometheus
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
  );
  const url = `http://127.0.0.1:${port}`;
  const { stop } = await startProgram({
    command: [
      'prometheus',
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ],
    cwd: folder,
    readyUrl: `${url}/-/ready`,
  });
  return { url, stop };
}
