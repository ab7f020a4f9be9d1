/** Runs in a process of its own, so that the load is not made by the process that is measured: see load-process.ts. */
import { percentile } from '../report.ts';
import type { LoadAnswer, LoadCounts, LoadRequest, LoadTotals } from './load-process.ts';
import { Sender } from './sender.ts';

const tickMs = 4;
/** A window is on its way for far longer. */
const readEveryMs = 20;
const latenciesKept = 2_000_000;

const senders: Sender[] = [];
let latencies: number[] = [];
let acknowledged = 0;
let timer: NodeJS.Timeout | undefined;
let lastTimeMs = 0;
let clock: 'number' | 'now' = 'now';

/** `number`: each fix has a time of its own, so that it is counted by it. `now`: of a device alone. */
function createClock(): () => number {
  let ownLastMs = 0;
  return () => {
    if (clock === 'number') return (lastTimeMs += 1);
    ownLastMs = Math.max(ownLastMs + 1, Date.now());
    return ownLastMs;
  };
}

/** To the north and back, a kilometre in five minutes. */
function driveLat(timeMs: number): string {
  const turn = (timeMs % 600_000) / 300_000;
  return (48.1276 + 0.009 * (turn < 1 ? turn : 2 - turn)).toFixed(7);
}

async function connectAll({
  url,
  devices,
  baseMs,
  moving = false,
}: Extract<LoadRequest, { do: 'connect' }>): Promise<void> {
  lastTimeMs = baseMs;
  const connected: Promise<void>[] = [];
  for (const device of devices) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sender = new Sender({
      url,
      ...device,
      latOf: moving ? driveLat : () => '48.1276',
      nextTimeMs: createClock(),
      onReady: resolve,
      onAcknowledged(latencyMs) {
        acknowledged += 1;
        if (latencies.length < latenciesKept) latencies.push(latencyMs);
      },
    });
    senders.push(sender);
    connected.push(promise);
  }
  await Promise.all(connected);
}

/** Keeps so many fixes of each device on the way, up to a number of fixes of each where one is given. */
function flatOut(windowMax: number, perDevice = Infinity): void {
  const begin = senders.map(({ sent }) => sent);
  // A quarter of the window at a time: a write for each fix would measure the sockets.
  timer = setInterval(() => {
    for (const [index, sender] of senders.entries()) {
      sender.readTurn();
      const left = (begin[index] ?? 0) + perDevice - sender.sent;
      const room = Math.min(windowMax - sender.open, left);
      if (room >= Math.min(windowMax / 4, left) && room > 0) sender.send(room);
    }
  }, readEveryMs);
}

function paced(perSecond: number): void {
  const startedAt = performance.now();
  let sent = 0;
  let next = 0;
  timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    for (; sent < due; sent += 1) {
      const sender = senders[next++ % senders.length];
      // A device that is away, or whose window is full, keeps its fixes; what is late counts from when it is sent.
      if (sender !== undefined && sender.open < 5000) sender.send(1);
    }
  }, tickMs);
}

function counts(): LoadCounts {
  return {
    sent: senders.reduce((sum, sender) => sum + sender.sent, 0),
    acknowledged,
    open: senders.reduce((sum, sender) => sum + sender.open, 0),
    reconnects: senders.reduce((sum, sender) => sum + sender.reconnects, 0),
    connected: senders.filter((sender) => sender.connected).length,
  };
}

function totals(): LoadTotals {
  const sorted = latencies.toSorted((a, b) => a - b);
  return { ...counts(), p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) };
}

async function handle(request: LoadRequest): Promise<void> {
  switch (request.do) {
    case 'connect':
      return connectAll(request);
    case 'flat-out':
      clock = request.clock;
      return flatOut(request.windowMax, request.perDevice);
    case 'paced':
      clock = request.clock;
      return paced(request.perSecond);
    case 'pause':
      clearInterval(timer);
      for (const sender of senders) sender.readAlways();
      return;
    case 'reset':
      latencies = [];
      return;
    case 'counts':
    case 'totals':
      return;
    case 'close':
      clearInterval(timer);
      for (const sender of senders) sender.close();
      process.disconnect?.();
  }
}

async function answer(request: LoadRequest): Promise<void> {
  await handle(request);
  const reply: LoadAnswer = { id: request.id, totals: request.do === 'totals' ? totals() : counts() };
  if (process.connected) process.send?.(reply);
}

process.on('message', (request: LoadRequest) => void answer(request));
