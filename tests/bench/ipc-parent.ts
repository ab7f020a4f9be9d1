/** The other end of `ipc-child.ts`, in a process of its own as the core is: it answers the calls, and passes runs and results on. */
import { fork } from 'node:child_process';
import path from 'node:path';

type FromChild =
  | { readonly id: number; readonly method: string; readonly args: unknown }
  | { readonly seconds: number };

const answers: Readonly<Record<string, (args: unknown) => unknown>> = { 'cache.get': () => ({}) };
const child = fork(path.join(import.meta.dirname, 'ipc-child.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

child.on('message', (message: FromChild) => {
  if ('seconds' in message) process.send?.(message);
  else child.send({ id: message.id, value: answers[message.method]?.(message.args) });
});
process.on('message', (run: object) => child.send(run));
process.on('disconnect', () => child.disconnect());
