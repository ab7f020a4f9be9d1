/**
 * The child's main thread. It starts the plugin's thread, looks at it from outside, also while it loops, tells the core
 * on descriptor 4 what it sees, and ends with it. No code of the plugin runs here.
 */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { ThreadEnd } from '../protocol/control-frame.ts';
import type { ChildBoot, ThreadBoot, ThreadReport } from './boot.ts';
import { connectControl } from './control.ts';
import { profileThread } from './profile.ts';
import { createThreadPulse, type ThreadPulse } from './thread-pulse.ts';
import { watchThread } from './watch-thread.ts';

const heapYoungMiB = 16;

export function run(boot: ChildBoot): void {
  const control = connectControl(new Socket({ fd: 4, readable: true, writable: true }));
  const pulse = createThreadPulse();
  const thread = startThread(boot, pulse);
  // The one thread there will ever be.
  process.permission.drop('worker');
  let ended = false;

  function end(reason: ThreadEnd, message: string, exitCode: number): void {
    if (ended) return;
    ended = true;
    control.end({ t: 'end', reason, message: message.slice(0, 8192), exitCode });
  }

  thread.on('message', (report: ThreadReport) => control.send(report));
  thread.on('error', (error: unknown) => {
    const code = (error as { code?: unknown } | null)?.code;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    end(code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'oom-heap' : 'crash', text, 1);
  });
  thread.on('exit', (exitCode) => end('exit', `the plugin's thread ended with code ${exitCode}`, exitCode));

  async function endLoop(heapFull: boolean): Promise<void> {
    // The profile shows where it loops; the thread is ended whether or not one could be taken.
    const profile = await profileThread(thread, boot.limits);
    if (profile !== null) control.send({ t: 'profile', profile });
    const loop = `the plugin's thread did not return to its event loop for ${boot.limits.loopMs} ms`;
    if (heapFull) end('oom-heap', `${loop}, its heap of ${boot.limits.heapMiB} MiB is full`, 1);
    else end('loop', loop, 1);
  }

  watchThread({ thread, pulse, limits: boot.limits, control, onLoop: (heapFull) => void endLoop(heapFull) });
}

function startThread(boot: ChildBoot, pulse: ThreadPulse): Worker {
  const workerData: ThreadBoot = { ...boot, pulse: pulse.memory };
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot.entry)}`), {
    workerData,
    name: boot.plugin.name,
    env: { ...boot.env },
    execArgv: [...boot.threadFlags],
    resourceLimits: { maxOldGenerationSizeMb: boot.limits.heapMiB, maxYoungGenerationSizeMb: heapYoungMiB },
  });
}
