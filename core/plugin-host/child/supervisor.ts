/**
 * The child's main thread. It starts the plugin's thread, looks at it from outside, also while it loops, tells the core
 * on descriptor 4 what it sees, and ends with it. No code of the plugin runs here.
 */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { ThreadEnd } from '../protocol/control-frame.ts';
import type { ChildBoot, ThreadBoot, ThreadReport } from './boot.ts';
import { connectControl, type Control } from './control.ts';
import { profileThread } from './profile.ts';
import { createThreadPulse, type ThreadPulse } from './thread-pulse.ts';
import { watchThread } from './watch-thread.ts';

const heapYoungMiB = 16;
const terminateGraceMs = 2000;

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

  watchThread({ thread, pulse, limits: boot.limits, control, onLoop: () => void endLoop(boot, thread, control, end) });
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

/** The profile shows where it loops; the thread is ended whether or not one could be taken. */
async function endLoop(
  boot: ChildBoot,
  thread: Worker,
  control: Control,
  end: (reason: ThreadEnd, message: string, exitCode: number) => void,
): Promise<void> {
  const profile = await profileThread(thread, boot.limits);
  if (profile !== null) control.send({ t: 'profile', profile });
  end('loop', `the plugin's thread did not return to its event loop for ${boot.limits.loopMs} ms`, 1);
  // terminate() waits for native code that runs synchronously, so it is not waited for without an end.
  setTimeout(() => control.kill(), terminateGraceMs);
  await thread.terminate();
}
