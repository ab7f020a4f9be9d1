import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { AppError } from '#core/errors/app-error.ts';
import { SocketPairs } from './socket-pair.ts';
import type { SpawnerReport, SpawnerRequest } from './spawner-messages.ts';

export interface Exit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** Resolves once, when it is gone. */
  readonly exited: Promise<Exit>;
  readonly hasExited: boolean;
  kill(signal: NodeJS.Signals): void;
}

export interface SpawnRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** The near ends of the child's descriptors 1 to 4. */
export type SpawnedEnds = readonly [stdout: Socket, stderr: Socket, data: Socket, control: Socket];

interface Running {
  pid: number;
  hasExited: boolean;
  readonly spawned: PromiseWithResolvers<void>;
  readonly exited: PromiseWithResolvers<Exit>;
}

/**
 * Starts processes through a small one of its own. To start one copies the page tables of whoever does it, and each page
 * that it writes afterwards costs it a fault: a core of 150 MB stood still for 5 to 15 ms, one of 800 MB for 50.
 *
 * The spawner is started at the first use and again when it was killed; what it had started is then killed too, for
 * nobody would learn of its end.
 */
export class Spawner {
  readonly #pairs = new SocketPairs();
  readonly #running = new Map<number, Running>();
  #process: ChildProcess | undefined;
  #nextId = 1;
  #pending = 0;

  /** @throws {AppError} PLUGIN_UNAVAILABLE */
  async spawn(request: SpawnRequest): Promise<{ readonly process: SpawnedProcess; readonly ends: SpawnedEnds }> {
    const id = this.#nextId++;
    const running: Running = {
      pid: 0,
      hasExited: false,
      spawned: Promise.withResolvers<void>(),
      exited: Promise.withResolvers<Exit>(),
    };
    this.#pending += 1;
    try {
      const pairs = await Promise.all([1, 2, 3, 4].map(() => this.#pairs.make()));
      const spawner = (this.#process ??= this.#start());
      this.#running.set(id, running);
      this.#holdLoop();
      for (const { far } of pairs) send(spawner, { t: 'end', id }, far);
      send(spawner, { t: 'spawn', id, ...request });
      await running.spawned.promise.catch((error: unknown) => {
        for (const { near } of pairs) near.destroy();
        throw error;
      });
      const ends = pairs.map(({ near }) => near) as unknown as SpawnedEnds;
      return { process: this.#handleOf(id, running), ends };
    } finally {
      this.#pending -= 1;
      this.#holdLoop();
    }
  }

  /** The processes must have ended: nobody is told of their end any more. */
  async stop(): Promise<void> {
    await this.#pairs.stop();
    const spawner = this.#process;
    this.#process = undefined;
    if (spawner?.connected !== true) return;
    const exited = once(spawner, 'exit');
    spawner.disconnect();
    spawner.ref();
    await exited;
  }

  #start(): ChildProcess {
    const spawner = fork(join(import.meta.dirname, 'spawner-process.ts'), {
      env: {},
      execArgv: ['--max-old-space-size=32'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    spawner.on('message', (report: SpawnerReport) => this.#onReport(report));
    spawner.once('exit', () => this.#onEnd(spawner));
    // A kill that crosses its end: what is lost with it is told by 'exit'.
    spawner.on('error', () => {});
    return spawner;
  }

  #onReport(report: SpawnerReport): void {
    const running = this.#running.get(report.id);
    if (running === undefined) return;
    if (report.t === 'spawned') {
      running.pid = report.pid;
      running.spawned.resolve();
      return;
    }
    if (report.t === 'failed') running.spawned.reject(cannotStart(report.message));
    this.#ended(report.id, report.t === 'failed' ? { exitCode: null, signal: null } : report);
  }

  #ended(id: number, { exitCode, signal }: Exit): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    running.hasExited = true;
    running.exited.resolve({ exitCode, signal });
    this.#holdLoop();
  }

  #onEnd(spawner: ChildProcess): void {
    if (this.#process === spawner) this.#process = undefined;
    for (const [id, { pid, spawned }] of this.#running) {
      spawned.reject(cannotStart('the spawner has ended'));
      if (pid > 0) killOrphan(pid);
      this.#ended(id, { exitCode: null, signal: 'SIGKILL' });
    }
  }

  #handleOf(id: number, running: Running): SpawnedProcess {
    return {
      pid: running.pid,
      exited: running.exited.promise,
      get hasExited() {
        return running.hasExited;
      },
      kill: (signal) => {
        if (!running.hasExited && this.#process !== undefined) send(this.#process, { t: 'kill', id, signal });
      },
    };
  }

  /** The spawner alone keeps no process alive; one that it started does, as a child of one's own would. */
  #holdLoop(): void {
    const isNeeded = this.#pending > 0 || this.#running.size > 0;
    for (const held of [this.#process, this.#process?.channel]) {
      if (isNeeded) held?.ref();
      else held?.unref();
    }
  }
}

function send(spawner: ChildProcess, request: SpawnerRequest, end?: Socket): void {
  // An error means that it is gone, which its 'exit' tells.
  if (spawner.connected) spawner.send(request, end, () => {});
}

function cannotStart(what: string): AppError {
  return new AppError('PLUGIN_UNAVAILABLE', `Cannot start a process: ${what}`);
}

function killOrphan(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has ended with its control channel.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
