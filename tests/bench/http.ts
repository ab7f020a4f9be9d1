import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import { startTestServer } from '../support/postgres.ts';
import type { BaselineSetup } from './koa-baseline.ts';
import { median, type BenchResult } from './report.ts';

const root = path.resolve(import.meta.dirname, '../..');
const connections = 32;
const rounds = 5;
const roundSeconds = 8;
const warmUpSeconds = 4;
/** The plugin's share of connections is `limits.connections` of plugins/orders/plugin.json: the baseline gets as many. */
const poolMax = 8;

/** Authenticated GET of one order through everything, against the same query in a bare Koa handler, turn by turn. */
export async function benchHttp(): Promise<BenchResult> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
  const postgres = await startTestServer();
  const children: ChildProcess[] = [];
  try {
    const platform = await startPlatform(dataDir, postgres.url, children);
    const orderId = await bookOrder(platform);
    const baseline = await startBaseline({ url: postgres.url, poolMax, statement: await orderStatement() }, children);
    const load = (url: string, seconds: number): Promise<autocannon.Result> =>
      autocannon({ url, connections, duration: seconds, headers: { authorization: `Bearer ${platform.token}` } });
    const targets = { ours: `${platform.api}/orders/${orderId}`, baseline: `${baseline}/orders/${orderId}` };
    await load(targets.ours, warmUpSeconds);
    await load(targets.baseline, warmUpSeconds);
    const results = { ours: [] as autocannon.Result[], baseline: [] as autocannon.Result[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const side of ['ours', 'baseline'] as const) results[side].push(await load(targets[side], roundSeconds));
    }
    return toResult(results);
  } finally {
    for (const child of children.toReversed()) await end(child);
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function toResult(results: Readonly<Record<'ours' | 'baseline', readonly autocannon.Result[]>>): BenchResult {
  for (const [side, runs] of Object.entries(results)) {
    const failed = runs.reduce((sum, run) => sum + run.non2xx + run.errors, 0);
    if (failed > 0) throw new Error(`${side} answered ${failed} requests with something else than 200`);
  }
  const rate = (side: 'ours' | 'baseline'): number => median(results[side].map((run) => run.requests.average));
  const p99 = (side: 'ours' | 'baseline'): number => median(results[side].map((run) => run.latency.p99));
  return {
    bench: 'http',
    unit: 'requests/s',
    ours: rate('ours'),
    baseline: rate('baseline'),
    ratio: rate('ours') / rate('baseline'),
    figures: {
      p50_ms: median(results.ours.map((run) => run.latency.p50)),
      baseline_p50_ms: median(results.baseline.map((run) => run.latency.p50)),
      p99_ms: p99('ours'),
      baseline_p99_ms: p99('baseline'),
      p99_ratio: p99('ours') / p99('baseline'),
    },
  };
}

interface Platform {
  readonly api: string;
  readonly token: string;
}

async function startPlatform(dataDir: string, databaseUrl: string, children: ChildProcess[]): Promise<Platform> {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    HTTP_PORT: '0',
    MQTT_PORT: '0',
    OPS_PORT: '0',
  };
  const main = ['--disable-warning=ExperimentalWarning', path.join(root, 'core/main.ts')];
  const child = spawn(process.execPath, [...main, 'start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const chunk of child.stdout) if (String(chunk).includes('ReturnIt is ready')) break;
  child.stdout.resume();
  const { api } = JSON.parse(await readFile(path.join(dataDir, 'addresses.json'), 'utf8')) as { api: string };
  const issue = spawn(process.execPath, [...main, 'token', '--role', 'customer'], { cwd: root, env });
  let token = '';
  for await (const chunk of issue.stdout) token += String(chunk);
  return { api, token: token.trim() };
}

async function bookOrder({ api, token }: Platform): Promise<string> {
  const address = {
    line1: '1 Main St',
    city: 'New York',
    region: 'NY',
    postalCode: '10001',
    country: 'US',
    lat: 40.75,
    lon: -73.98,
  };
  const response = await fetch(`${api}/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      pickup: address,
      pickupWindow: { start: new Date().toISOString(), end: new Date(Date.now() + 7_200_000).toISOString() },
      items: [{ description: 'Shoes', quantity: 1 }],
      destination: { kind: 'store', name: 'Store', address },
    }),
  });
  const { orderId } = (await response.json()) as { orderId?: string };
  if (orderId === undefined) throw new Error(`Cannot book the order of the benchmark: ${response.status}`);
  return orderId;
}

/** The statement itself is read from the plugin, so that both sides run the same one. */
async function orderStatement(): Promise<{ name: string; text: string }> {
  const source = await readFile(path.join(root, 'plugins/orders/store.ts'), 'utf8');
  const columns = /const columns = `([^`]+)`/.exec(source)?.[1];
  const text = /name: 'find_order_with_history',\s+text: `([^`]+)`/.exec(source)?.[1];
  if (columns === undefined || text === undefined)
    throw new Error('plugins/orders/store.ts has no find_order_with_history');
  return {
    name: 'find_order_with_history',
    text: text
      .replace('${columns}', columns)
      .replaceAll(' orders ', ' orders.orders ')
      .replace('from order_history', 'from orders.order_history'),
  };
}

async function startBaseline(setup: BaselineSetup, children: ChildProcess[]): Promise<string> {
  const child = fork(path.join(import.meta.dirname, 'koa-baseline.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  child.send(setup);
  const [port] = (await once(child, 'message')) as [number];
  return `http://127.0.0.1:${port}`;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
