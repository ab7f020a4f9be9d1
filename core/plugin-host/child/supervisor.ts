/**
 * The child's main thread. It starts the plugin's thread, looks at it from outside, also while it loops, tells the core
 * on descriptor 4 what it sees, and ends with it. No code of the plugin runs here.
 */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { ThreadEnd } from '../protocol/control-frame.ts';
import type { ChildBoot, ChildLimits, ThreadBoot, ThreadReport } from './boot.ts';
import { connectControl } from './control.ts';
import { mapOf } from './profile-source.ts';
import { profileThread } from './profile.ts';
import { createThreadPulse, type ThreadPulse } from './thread-pulse.ts';
import { watchThread, type Stuck } from './watch-thread.ts';

/** Most of what a plugin's process grows by under load is the young generation. */
const heapYoungMiB = 8;

export function run(boot: ChildBoot): void {
  const control = connectControl(new Socket({ fd: 4, readable: true, writable: true }));
  const pulse = createThreadPulse();
  const source = { url: boot.main.url, map: mapOf(boot.main) };
  const thread = startThread(boot, pulse);
  // The one thread there will ever be.
  process.permission.drop('worker');
  let ended = false;

  function end(reason: ThreadEnd, message: string, exitCode: number): void {
    if (ended) return;
    ended = true;
    watch.stop();
    control.end({ t: 'end', reason, message: message.slice(0, 8192), exitCode });
  }

  thread.on('message', (report: ThreadReport) => control.send(report));
  thread.on('error', (error: unknown) => {
    const code = (error as { code?: unknown } | null)?.code;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    end(code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'oom-heap' : 'crash', text, 1);
  });
  thread.on('exit', (exitCode) => end('exit', `the plugin's thread ended with code ${exitCode}`, exitCode));

  const watch = watchThread({ thread, pulse, limits: boot.limits, control, onStuck: (stuck) => void endStuck(stuck) });

  async function endStuck(stuck: Stuck): Promise<void> {
    // The profile shows where it loops; the thread is ended whether or not one could be taken.
    const profile = await profileThread(thread, { limits: boot.limits, answers: stuck.how !== 'native', source });
    const heapFull = stuck.heapFull || (await watch.heapFull());
    if (watch.recovered()) return;
    if (profile !== null) control.send({ t: 'profile', profile });
    if (heapFull) end('oom-heap', `its heap of ${boot.limits.heapMiB} MiB is full, it did nothing but collect`, 1);
    else end('loop', `the plugin's thread did not return to its event loop: it ${stuckText(stuck, boot.limits)}`, 1);
  }
}

function stuckText({ how }: Stuck, { loopMs }: ChildLimits): string {
  return how === 'waits' ? `has been waiting for ${loopMs} ms` : `has used the processor for ${loopMs} ms`;
}

function startThread(boot: ChildBoot, pulse: ThreadPulse): Worker {
  const { supervisor: _supervisor, ...forThread } = boot;
  const workerData: ThreadBoot = { ...forThread, pulse: pulse.memory };
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot.entry)}`), {
    workerData,
    name: boot.plugin.name,
    env: { ...boot.env },
    execArgv: [...boot.threadFlags],
    resourceLimits: { maxOldGenerationSizeMb: boot.limits.heapMiB, maxYoungGenerationSizeMb: heapYoungMiB },
  });
  // The thread has its own copies by now.
  for (const module of [boot.thread, boot.main]) module.code = '';
  return thread;
}
