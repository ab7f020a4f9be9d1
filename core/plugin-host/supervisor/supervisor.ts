import assert from 'node:assert/strict';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginIdentity, PluginInstance } from '#core/plugin-instance.ts';
import type { DeathStore } from '../deaths.ts';
import type { Death, DeathReason } from './death.ts';
import { startPluginProcess, type PluginProcess, type PluginProcessOptions } from './plugin-process.ts';
import { createRestartPolicy, type RestartPolicy } from './restart-policy.ts';
import { createStateMetrics, type StateMetrics } from './state-metrics.ts';
import type { SupervisorState } from './supervisor-state.ts';

/** The one list of what may follow what. */
const successors: Readonly<Record<SupervisorState, readonly SupervisorState[]>> = {
  stopped: ['starting'],
  starting: ['ready', 'backoff', 'quarantined', 'failed', 'stopping'],
  ready: ['backoff', 'quarantined', 'stopping'],
  backoff: ['starting', 'stopping'],
  quarantined: ['starting', 'stopping'],
  failed: ['starting', 'stopping'],
  stopping: ['stopped'],
};

export interface StateChange {
  readonly from: SupervisorState;
  readonly to: SupervisorState;
  /** The death that caused it. */
  readonly death?: Death;
}

export interface SupervisorOptions extends PluginProcessOptions {
  readonly deaths: DeathStore;
  /** From 0 to 1, for the jitter of restarts. */
  readonly random: () => number;
}

export interface Supervisor {
  readonly plugin: PluginIdentity;
  readonly state: SupervisorState;
  readonly ready: boolean;
  /** The running process; null while there is none. */
  readonly instance: PluginInstance | null;
  readonly pid: number | null;
  readonly lastDeath: Death | null;
  /** Resolves with the outcome of the first attempt: `ready`, or why not. A plugin that fails is tried again by itself. */
  start(): Promise<SupervisorState>;
  /** Resolves when the process is gone. Stopping twice is the same as once. */
  stop(): Promise<void>;
  /** Starts a plugin that is quarantined or failed; its earlier deaths are forgotten. */
  release(): Promise<SupervisorState>;
  /** Ends the process at once, as a death: it is recorded and the plugin restarts. */
  kill(reason: DeathReason, message: string): void;
  /** @returns a function that unsubscribes */
  onStateChange(listener: (change: StateChange) => void): () => void;
}

/** Keeps one plugin running: a state machine around its process. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new ProcessSupervisor(options);
}

class ProcessSupervisor implements Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: SupervisorOptions['telemetry']['logger'];
  readonly #policy: RestartPolicy;
  readonly #metrics: StateMetrics;
  readonly #listeners = new Set<(change: StateChange) => void>();
  /** Death records that are being written: stop() waits for them. */
  readonly #recording = new Set<Promise<void>>();
  #state: SupervisorState = 'stopped';
  #current: PluginProcess | null = null;
  #lastDeath: Death | null = null;
  #restartTimer: NodeJS.Timeout | undefined;
  /** The start that is under way: stop() waits for it, so that no process is left behind. */
  #launching: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(options: SupervisorOptions) {
    const { plugin, limits } = options.sandbox;
    this.#options = options;
    this.#log = options.telemetry.logger.child({ component: 'supervisor', plugin: plugin.name });
    this.#policy = createRestartPolicy({ ...limits, now: options.now, random: options.random });
    this.#metrics = createStateMetrics(options.telemetry, plugin, limits);
  }

  get plugin(): PluginIdentity {
    return this.#options.sandbox.plugin;
  }

  get state(): SupervisorState {
    return this.#state;
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  get instance(): PluginInstance | null {
    return this.#current?.instance ?? null;
  }

  get pid(): number | null {
    return this.#current?.pid ?? null;
  }

  get lastDeath(): Death | null {
    return this.#lastDeath;
  }

  async start(): Promise<SupervisorState> {
    this.#launching = this.#launch();
    await this.#launching;
    // A death during the start is handled in the same turn in which `gone` resolves; its consequence is the outcome.
    if (this.#state === 'starting') await new Promise((resolve) => setImmediate(resolve));
    return this.#state;
  }

  stop(): Promise<void> {
    if (this.#state === 'stopped') return Promise.resolve();
    this.#stopping ??= this.#stopOnce();
    return this.#stopping;
  }

  async release(): Promise<SupervisorState> {
    if (this.#state !== 'quarantined' && this.#state !== 'failed') {
      const what = `it is ${this.#state}, not quarantined`;
      throw new AppError('PLUGIN_NOT_QUARANTINED', `Cannot release ${this.plugin.name}: ${what}`);
    }
    this.#policy.reset();
    return this.start();
  }

  kill(reason: DeathReason, message: string): void {
    this.#current?.kill(reason, message);
  }

  onStateChange(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #transition(to: SupervisorState, death?: Death): void {
    const from = this.#state;
    const { name } = this.plugin;
    assert(successors[from].includes(to), `plugin ${name} cannot go from ${from} to ${to}`);
    this.#state = to;
    this.#metrics.entered(to);
    const pid = to === 'ready' ? { pid: this.pid } : {};
    const reason = death === undefined ? {} : { reason: death.reason };
    this.#log.info({ from, to, ...pid, ...reason }, `plugin ${name} is ${to}`);
    for (const listener of this.#listeners) listener(death === undefined ? { from, to } : { from, to, death });
  }

  async #launch(): Promise<void> {
    this.#transition('starting');
    let launched: PluginProcess;
    try {
      launched = await startPluginProcess({ ...this.#options, isRestart: this.#lastDeath !== null });
    } catch (error) {
      this.#log.error({ err: error }, `plugin ${this.plugin.name} cannot be started`);
      if (this.#state === 'starting') this.#transition('failed');
      return;
    }
    this.#current = launched;
    void launched.gone.then((death) => this.#onGone(launched, death));
    await Promise.race([launched.ready, launched.gone]);
    const alive = this.#current === launched && !launched.instance.gone.aborted;
    if (this.#state === 'starting' && alive) this.#transition('ready');
  }

  #onGone(launched: PluginProcess, death: Death | null): void {
    if (this.#current === launched) this.#current = null;
    if (death === null) return;
    this.#lastDeath = death;
    this.#metrics.died(death);
    const { reason, uptimeMs, exitCode, signal, message } = death;
    this.#log.error(
      { reason, uptimeMs, exitCode, signal },
      `plugin ${this.plugin.name} died of ${reason}: ${message.slice(0, 2000)}`,
    );
    this.#record(death);
    if (this.#state !== 'starting' && this.#state !== 'ready') return;
    const next = this.#policy.afterDeath(uptimeMs);
    if (next === 'quarantine') {
      this.#transition('quarantined', death);
      return;
    }
    this.#transition('backoff', death);
    this.#restartTimer = setTimeout(() => {
      this.#launching = this.#launch();
    }, next.restartInMs);
  }

  #record(death: Death): void {
    const recording = this.#options.deaths.record(death).then(
      () => void this.#recording.delete(recording),
      (error: unknown) => {
        this.#recording.delete(recording);
        this.#log.error({ err: error }, 'cannot keep death record');
      },
    );
    this.#recording.add(recording);
  }

  async #stopOnce(): Promise<void> {
    clearTimeout(this.#restartTimer);
    this.#transition('stopping');
    await this.#current?.stop();
    await this.#launching;
    // The process may have come up while we were stopping.
    await this.#current?.stop();
    await Promise.all(this.#recording);
    this.#transition('stopped');
    this.#stopping = null;
  }
}
