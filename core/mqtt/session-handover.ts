import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter } from '#core/telemetry/metrics.ts';
import type { SessionDrain } from './session-drain.ts';
import type { BrokerSession, SessionStore } from './session-store.ts';

export interface SessionHandoverOptions {
  readonly store: SessionStore;
  /** A node that has not renewed its sessions for this long is taken for dead. */
  readonly leaseMs: number;
  /** This node's sessions of plugins that can take messages now. */
  readonly own: () => readonly BrokerSession[];
  /** The plugins that other nodes take messages of, each time that it is known. */
  readonly onOthers: (plugins: ReadonlySet<string>) => void;
  readonly drain: (session: BrokerSession) => SessionDrain;
  /** Sessions taken over, by end. */
  readonly handovers: Counter;
  readonly log: Logger;
  /** @default performance.now */
  readonly now?: () => number;
}

/** Sessions of the dead emptied at a time. */
const drainsMax = 4;

/** Renews this node's sessions and empties those of nodes that died. */
export interface SessionHandover {
  start(): void;
  stop(): Promise<void>;
}

export function createSessionHandover(options: SessionHandoverOptions): SessionHandover {
  return new Handover(options);
}

/**
 * A broker shares messages among all sessions of a group, whether their nodes live or not (Mosquitto 2.0 was seen to go on
 * queueing a third of a stream for one that was dead). So each node says in the database that it lives, and a session that
 * nobody speaks for is taken over: its subscriptions are ended, what it holds is handled here, and it is removed.
 * A wrong guess costs repetitions alone: the broker lets one connection have a session, and the tables know each fix.
 */
class Handover implements SessionHandover {
  readonly #options: SessionHandoverOptions;
  readonly #now: () => number;
  readonly #drains = new Map<string, SessionDrain>();
  #renewingSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(options: SessionHandoverOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  start(): void {
    this.#stopped = false;
    this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    const drains = [...this.#drains.values()];
    for (const drain of drains) drain.stop();
    await Promise.all(drains.map((drain) => drain.ended));
  }

  #run(): void {
    this.#running = this.#turn().finally(() => {
      if (!this.#stopped) this.#timer = setTimeout(() => this.#run(), this.#options.leaseMs / 3);
    });
  }

  async #turn(): Promise<void> {
    const { store, own, onOthers, leaseMs, log } = this.#options;
    const sessions = own();
    try {
      await store.renew(sessions);
      onOthers(await store.othersOf(leaseMs));
      this.#renewingSinceMs ??= this.#now();
      for (const [clientId, drain] of this.#drains) {
        if (!(await store.keep(clientId))) drain.stop();
      }
      // While the database was away nobody could renew: the others get a lease's time to say that they live.
      if (this.#now() - this.#renewingSinceMs >= leaseMs) await this.#claim(sessions);
    } catch (error) {
      this.#renewingSinceMs = undefined;
      log.debug({ err: error }, 'Sessions at the broker are not renewed: the database does not answer');
    }
  }

  async #claim(sessions: readonly BrokerSession[]): Promise<void> {
    const plugins = [...new Set(sessions.map(({ plugin }) => plugin))];
    if (plugins.length === 0) return;
    for (let room = drainsMax - this.#drains.size; room > 0 && !this.#stopped; room -= 1) {
      const session = await this.#options.store.claim(plugins, this.#options.leaseMs);
      if (session === undefined) return;
      void this.#follow(session);
    }
  }

  async #follow(session: BrokerSession): Promise<void> {
    const { store, handovers, log, drain } = this.#options;
    const { clientId, plugin } = session;
    log.warn({ clientId, plugin }, 'A node no longer renews its session at the broker: it is emptied here');
    const started = drain(session);
    this.#drains.set(clientId, started);
    try {
      const outcome = await started.ended;
      handovers.inc({ outcome });
      log.info({ clientId, plugin, outcome, messages: started.messages }, 'A session taken over has ended');
      if (outcome === 'drained') await store.forget(clientId);
    } catch (error) {
      // Its row stays and goes stale: it is claimed again.
      log.warn({ err: error, clientId }, 'A session taken over is not forgotten yet');
    } finally {
      this.#drains.delete(clientId);
    }
  }
}
