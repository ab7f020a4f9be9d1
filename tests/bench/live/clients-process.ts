import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface Watch {
  readonly token: string;
  readonly channel: string;
}

export type ClientsCommand =
  /** Resolves when each has its snapshot. */
  | { readonly do: 'connect'; readonly url: string; readonly watches: readonly Watch[] }
  /** Forgets what was counted so far. */
  | { readonly do: 'reset' }
  | { readonly do: 'totals' }
  | { readonly do: 'close' };

export type ClientsRequest = { readonly id: number } & ClientsCommand;

export interface ClientsTotals {
  readonly connected: number;
  /** Changes, of all clients; and of the one that got the fewest, and the most. */
  readonly updates: number;
  readonly updatesMin: number;
  readonly updatesMax: number;
  /** Messages that were not newer than what the client had. */
  readonly backwards: number;
  /** From a fix' time, which is when it was published, to the client. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface ClientsAnswer {
  readonly id: number;
  readonly totals: ClientsTotals;
  readonly error: string | undefined;
}

/** WebSocket clients, each of which watches one channel, in a process of their own. */
export interface Clients {
  readonly pid: number;
  ask(command: ClientsCommand): Promise<ClientsTotals>;
  stop(): Promise<void>;
}

export function startClients(): Clients {
  const child = fork(path.join(import.meta.dirname, 'clients.ts'), { execArgv: ['--max-semi-space-size=32'] });
  const waiting = new Map<number, (answer: ClientsAnswer) => void>();
  const exited = once(child, 'exit');
  let nextId = 1;
  child.on('message', (answer: ClientsAnswer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  return {
    pid: child.pid ?? 0,
    ask(command) {
      const id = nextId++;
      return new Promise((resolve, reject) => {
        waiting.set(id, ({ totals, error }) => (error === undefined ? resolve(totals) : reject(new Error(error))));
        child.send({ id, ...command }, (error) => {
          if (error !== null) reject(error);
        });
      });
    },
    async stop() {
      if (child.connected) child.send({ id: 0, do: 'close' });
      await exited;
    },
  };
}
