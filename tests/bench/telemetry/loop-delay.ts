/** For `node --import`: says on a port of its own, told on standard error, what has held up the event loop since last asked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Since the last answer. */
export interface LoopDelay {
  /** The longest time that a timer, due every millisecond, came too late. */
  readonly maxMs: number;
  /** Processor time of the thread that runs the event loop; what reads this is in it. */
  readonly cpuMs: number;
}

const resolutionMs = 1;
const delay = monitorEventLoopDelay({ resolution: resolutionMs });
let cpu = process.threadCpuUsage();

function read(): LoopDelay {
  const { user, system } = process.threadCpuUsage(cpu);
  return { maxMs: Math.max(0, delay.max / 1e6 - resolutionMs), cpuMs: (user + system) / 1000 };
}

const server = createServer((_request, response) => {
  response.end(JSON.stringify(read()));
  delay.reset();
  cpu = process.threadCpuUsage();
});
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`loop delay: ${(server.address() as AddressInfo).port}\n`);
});
server.unref();
delay.enable();
