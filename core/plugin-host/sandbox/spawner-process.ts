/** The spawner's own process: starts what the core asks for, with the ends that the core sent as descriptors 1 to 4. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { SpawnerReport, SpawnerRequest } from './spawner-messages.ts';

const ends = new Map<number, Socket[]>();
const children = new Map<number, ChildProcess>();

const report = (message: SpawnerReport): void => void process.send?.(message);

function start({ id, file, args, cwd }: Extract<SpawnerRequest, { t: 'spawn' }>): void {
  const given = ends.get(id) ?? [];
  ends.delete(id);
  const child = spawn(file, args, {
    env: {},
    cwd,
    // A process group of its own: the terminal's Ctrl-C is for the core, which then stops the plugin in order.
    detached: true,
    stdio: ['ignore', ...given],
    windowsHide: true,
  });
  // The child has its own by now.
  for (const end of given) end.destroy();
  children.set(id, child);
  child.once('spawn', () => report({ t: 'spawned', id, pid: child.pid ?? 0 }));
  child.once('error', ({ message }) => {
    if (child.pid !== undefined) return;
    children.delete(id);
    report({ t: 'failed', id, message });
  });
  child.once('exit', (exitCode, signal) => {
    children.delete(id);
    report({ t: 'exited', id, exitCode, signal });
  });
}

process.on('message', (request: SpawnerRequest, end?: Socket) => {
  if (request.t === 'spawn') start(request);
  else if (request.t === 'kill') children.get(request.id)?.kill(request.signal);
  else if (end !== undefined) ends.set(request.id, [...(ends.get(request.id) ?? []), end]);
});
// The core is gone. What it started sees that on descriptor 4 and ends by itself.
process.on('disconnect', () => process.exit(0));
// These are for the core, which stops the plugins in order; then it disconnects.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
