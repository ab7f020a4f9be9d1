import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { coreFlags } from '../../bin/core-flags.mjs';
import { findOrderWithHistoryStatement } from '../../plugins/orders/store/orders.ts';
import { startTestServer } from '../support/test-server.ts';
import type { BaselineSetup } from './koa-baseline.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** The plugin's share of connections is `limits.connections` of plugins/orders/plugin.json: the baseline gets as many. */
const poolMax = 8;

export interface HttpTarget {
  /** Of the one order, from this side. */
  readonly url: string;
  readonly pid: number;
}

export interface HttpTargets {
  readonly ours: HttpTarget;
  readonly baseline: HttpTarget;
  readonly token: string;
  stop(): Promise<void>;
}

/** The platform and the bare Koa handler as processes of their own, on one Postgres, with one order booked. */
export async function startHttpTargets(options: { readonly nodeFlags?: readonly string[] } = {}): Promise<HttpTargets> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
  const postgres = await startTestServer();
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) await end(child);
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const start = { dataDir, databaseUrl: postgres.url, nodeFlags: options.nodeFlags ?? [] };
    const platform = await startPlatform(start, children);
    const orderId = await bookOrder(platform);
    const setup = { url: postgres.url, poolMax, statement: orderStatement() };
    const baseline = await startBaseline(setup, children);
    const [ours, other] = children.map((child) => child.pid ?? 0);
    return {
      ours: { url: `${platform.api}/orders/${orderId}`, pid: ours ?? 0 },
      baseline: { url: `${baseline}/orders/${orderId}`, pid: other ?? 0 },
      token: platform.token,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Platform {
  readonly api: string;
  readonly token: string;
}

interface PlatformStart {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly nodeFlags: readonly string[];
}

async function startPlatform(start: PlatformStart, children: ChildProcess[]): Promise<Platform> {
  const { dataDir, databaseUrl, nodeFlags } = start;
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    HTTP_PORT: '0',
    MQTT_PORT: '0',
    OPS_PORT: '0',
  };
  const main = [...coreFlags, path.join(root, 'core/main.ts')];
  const child = spawn(process.execPath, [...nodeFlags, ...main, 'start'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
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

/** The plugin's own statement, so that both sides run the same one; the baseline's search path has no schema of a plugin. */
function orderStatement(): { name: string; text: string } {
  const { name, text } = findOrderWithHistoryStatement;
  return { name, text: text.replaceAll(/\bfrom (orders|order_history|order_parcels)\b/g, 'from orders.$1') };
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
