import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { DeviceCredentials } from '../../support/ingest/rig.ts';

/** What each fix' time is: a number counted up from `baseMs`, or when it is sent. */
export type Clock = 'number' | 'now';

export type LoadRequest = { readonly id: number } & LoadCommand;

export type LoadCommand =
  | {
      readonly do: 'connect';
      readonly url: string;
      readonly devices: readonly DeviceCredentials[];
      readonly baseMs: number;
      /** Each fix is elsewhere than the one before. @default false */
      readonly moving?: boolean;
    }
  | { readonly do: 'flat-out'; readonly windowMax: number; readonly perDevice?: number; readonly clock: Clock }
  | { readonly do: 'paced'; readonly perSecond: number; readonly clock: Clock }
  | { readonly do: 'pause' }
  /** Forgets the latencies so far. */
  | { readonly do: 'reset' }
  /** Counts alone: to be asked often, while percentiles cost a sorting. */
  | { readonly do: 'counts' }
  | { readonly do: 'totals' }
  | { readonly do: 'close' };

export interface LoadCounts {
  readonly sent: number;
  readonly acknowledged: number;
  /** Without a PUBACK. */
  readonly open: number;
  readonly reconnects: number;
  readonly connected: number;
}

export interface LoadTotals extends LoadCounts {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadAnswer {
  readonly id: number;
  readonly totals: LoadTotals | LoadCounts;
}

/** Devices that publish fixes, in a process of their own. */
export interface Load {
  readonly pid: number;
  ask(command: { readonly do: 'totals' }): Promise<LoadTotals>;
  ask(command: LoadCommand): Promise<LoadCounts>;
  stop(): Promise<void>;
}

export function startLoad(): Load {
  const child = fork(path.join(import.meta.dirname, 'load.ts'), { execArgv: ['--max-semi-space-size=32'] });
  const waiting = new Map<number, (totals: LoadTotals | LoadCounts) => void>();
  const exited = once(child, 'exit');
  let nextId = 1;
  child.on('message', ({ id, totals }: LoadAnswer) => {
    waiting.get(id)?.(totals);
    waiting.delete(id);
  });
  function ask(command: { readonly do: 'totals' }): Promise<LoadTotals>;
  function ask(command: LoadCommand): Promise<LoadCounts>;
  function ask(command: LoadCommand): Promise<LoadTotals | LoadCounts> {
    const id = nextId++;
    return new Promise((resolve, reject) => {
      waiting.set(id, resolve);
      child.send({ id, ...command }, (error) => {
        if (error !== null) reject(error);
      });
    });
  }
  return {
    pid: child.pid ?? 0,
    ask,
    async stop() {
      if (child.connected) child.send({ id: 0, do: 'close' });
      await exited;
    },
  };
}
