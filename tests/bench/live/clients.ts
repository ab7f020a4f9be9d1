/** Runs in a process of its own, so that the clients are not served by the process that is measured: see clients-process.ts. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { percentile } from '../report.ts';
import type { ClientsAnswer, ClientsRequest, ClientsTotals, Watch } from './clients-process.ts';

/** Connections that are being opened at a time. */
const openingMax = 50;
const latenciesKept = 2_000_000;
/** As it is written by the core; to parse the whole message would measure the clients. */
const versionPattern = /"version":(\d+)/;

interface Client {
  readonly socket: WebSocket;
  updates: number;
  newest: number;
}

const clients: Client[] = [];
let latencies: number[] = [];
let backwards = 0;
let ended = 0;

async function connect(url: string, { token, channel }: Watch): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, { headers: { authorization: `Bearer ${token}` } });
  const client: Client = { socket, updates: 0, newest: 0 };
  clients.push(client);
  const begun = new Promise<void>((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      const version = Number(versionPattern.exec(text)?.[1]);
      if (!(version > client.newest)) backwards += 1;
      client.newest = version;
      if (text.startsWith('{"type":"change"')) {
        client.updates += 1;
        if (latencies.length < latenciesKept) latencies.push(Date.now() - version);
      } else if (text.startsWith('{"type":"snapshot"')) {
        resolve();
      } else {
        reject(new Error(`A client cannot watch: ${text}`));
      }
    });
    socket.on('close', (code) => {
      ended += 1;
      reject(new Error(`A client's connection has ended: ${code}`));
    });
    socket.on('error', reject);
  });
  // Before the snapshot it may fail in two places; one of them is enough.
  begun.catch(() => undefined);
  await once(socket, 'open');
  socket.send(JSON.stringify({ watch: channel }));
  await begun;
}

async function connectAll({ url, watches }: Extract<ClientsRequest, { do: 'connect' }>): Promise<void> {
  const waiting = [...watches];
  await Promise.all(
    Array.from({ length: openingMax }, async () => {
      for (let watch = waiting.pop(); watch !== undefined; watch = waiting.pop()) await connect(url, watch);
    }),
  );
}

function reset(): void {
  latencies = [];
  for (const client of clients) client.updates = 0;
}

function totals(): ClientsTotals {
  const sorted = latencies.toSorted((a, b) => a - b);
  const updates = clients.map((client) => client.updates).toSorted((a, b) => a - b);
  return {
    connected: clients.length - ended,
    updates: updates.reduce((sum, count) => sum + count, 0),
    updatesMin: updates[0] ?? 0,
    updatesMax: updates.at(-1) ?? 0,
    backwards,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

async function answer(request: ClientsRequest): Promise<void> {
  let error: string | undefined;
  try {
    if (request.do === 'connect') await connectAll(request);
    else if (request.do === 'reset') reset();
    else if (request.do === 'close') {
      for (const { socket } of clients) socket.terminate();
      process.disconnect?.();
    }
  } catch (cause) {
    error = String(cause);
  }
  const reply: ClientsAnswer = { id: request.id, totals: totals(), error };
  if (process.connected) process.send?.(reply);
}

process.on('message', (request: ClientsRequest) => void answer(request));
// Whoever measures is gone.
process.on('disconnect', () => process.exit(0));
