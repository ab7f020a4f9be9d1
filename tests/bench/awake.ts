import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

const maxMs = 180_000;
const lowestPriority = 19;

/**
 * Keeps every processor from going to sleep, with work that gives way to any other. In a virtual machine waking one takes
 * longer than what is measured when one thing waits for another: with this the software is left.
 */
export async function keepAwake(): Promise<{ stop(): Promise<void> }> {
  const spinners = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', `const end = Date.now() + ${maxMs}; while (Date.now() < end);`], {
      stdio: 'ignore',
      detached: true,
    }),
  );
  for (const { pid = 0 } of spinners) {
    setPriority(pid, lowestPriority);
    // A session of its own, which Linux may weigh as a whole.
    try {
      writeFileSync(`/proc/${pid}/autogroup`, String(lowestPriority), { flag: 'r+' });
    } catch {
      // No autogroups: the priority of the process is what counts.
    }
  }
  return {
    async stop() {
      await Promise.all(
        spinners.map(async (spinner) => {
          const exited = once(spinner, 'exit');
          if (spinner.kill('SIGKILL')) await exited;
        }),
      );
    },
  };
}
