import assert from 'node:assert/strict';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginIdentity, PluginInstance } from '#core/plugin-instance.ts';
import type { DeathStore } from '../deaths.ts';
import type { Death, DeathReason } from './death.ts';
import { startPluginProcess, type PluginProcess, type PluginProcessOptions } from './plugin-process.ts';
import { createRestartPolicy } from './restart-policy.ts';
import { createStateMetrics } from './state-metrics.ts';
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
  const { plugin, limits } = options.sandbox;
  const log = options.telemetry.logger.child({ component: 'supervisor', plugin: plugin.name });
  const policy = createRestartPolicy({ ...limits, now: options.now, random: options.random });
  const metrics = createStateMetrics(options.telemetry, plugin, limits);
  const listeners = new Set<(change: StateChange) => void>();
  let state: SupervisorState = 'stopped';
  let current: PluginProcess | null = null;
  let lastDeath: Death | null = null;
  let restartTimer: NodeJS.Timeout | undefined;
  /** The start that is under way: stop() waits for it, so that no process is left behind. */
  let launching: Promise<void> = Promise.resolve();
  let stopping: Promise<void> | null = null;

  function transition(to: SupervisorState, death?: Death): void {
    const from = state;
    assert(successors[from].includes(to), `plugin ${plugin.name} cannot go from ${from} to ${to}`);
    state = to;
    metrics.entered(to);
    log.info({ from, to, ...(death === undefined ? {} : { reason: death.reason }) }, `plugin ${plugin.name} is ${to}`);
    for (const listener of listeners) listener(death === undefined ? { from, to } : { from, to, death });
  }

  async function launch(): Promise<void> {
    transition('starting');
    let launched: PluginProcess;
    try {
      launched = await startPluginProcess(options);
    } catch (error) {
      log.error({ err: error }, `plugin ${plugin.name} cannot be started`);
      if (state === 'starting') transition('failed');
      return;
    }
    current = launched;
    void launched.gone.then((death) => onGone(launched, death));
    await Promise.race([launched.ready, launched.gone]);
    if (state === 'starting' && current === launched && !launched.instance.gone.aborted) transition('ready');
  }

  function onGone(launched: PluginProcess, death: Death | null): void {
    if (current === launched) current = null;
    if (death === null) return;
    lastDeath = death;
    metrics.died(death);
    log.error(
      { reason: death.reason, uptimeMs: death.uptimeMs, exitCode: death.exitCode, signal: death.signal },
      `plugin ${plugin.name} died of ${death.reason}: ${death.message.slice(0, 2000)}`,
    );
    options.deaths.record(death).catch((error: unknown) => log.error({ err: error }, 'cannot keep death record'));
    if (state !== 'starting' && state !== 'ready') return;
    const next = policy.afterDeath(death.uptimeMs);
    if (next === 'quarantine') {
      transition('quarantined', death);
      return;
    }
    transition('backoff', death);
    restartTimer = setTimeout(() => {
      launching = launch();
    }, next.restartInMs);
  }

  async function begin(): Promise<SupervisorState> {
    launching = launch();
    await launching;
    // A death during the start is handled in the same turn in which `gone` resolves; its consequence is the outcome.
    if (state === 'starting') await new Promise((resolve) => setImmediate(resolve));
    return state;
  }

  async function stopOnce(): Promise<void> {
    clearTimeout(restartTimer);
    transition('stopping');
    await current?.stop();
    await launching;
    // The process may have come up while we were stopping.
    await current?.stop();
    transition('stopped');
    stopping = null;
  }

  return {
    plugin,
    get state() {
      return state;
    },
    get ready() {
      return state === 'ready';
    },
    get instance() {
      return current?.instance ?? null;
    },
    get pid() {
      return current?.pid ?? null;
    },
    get lastDeath() {
      return lastDeath;
    },
    start: begin,
    stop() {
      if (state === 'stopped') return Promise.resolve();
      stopping ??= stopOnce();
      return stopping;
    },
    async release() {
      if (state !== 'quarantined' && state !== 'failed') {
        throw new AppError('PLUGIN_NOT_QUARANTINED', `Cannot release ${plugin.name}: it is ${state}, not quarantined`);
      }
      policy.reset();
      return begin();
    },
    kill(reason, message) {
      current?.kill(reason, message);
    },
    onStateChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
