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

/**
 * A broker shares messages among all sessions of a group, whether their nodes live or not (Mosquitto 2.0 was seen to go on
 * queueing a third of a stream for one that was dead). So each node says in the database that it lives, and a session that
 * nobody speaks for is taken over: its subscriptions are ended, what it holds is handled here, and it is removed.
 * A wrong guess costs repetitions alone: the broker lets one connection have a session, and the tables know each fix.
 */
export function createSessionHandover(options: SessionHandoverOptions): SessionHandover {
  const { store, leaseMs, own, drain, handovers, log, now = () => performance.now() } = options;
  const drains = new Map<string, SessionDrain>();
  let renewingSinceMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = true;

  function follow(session: BrokerSession): void {
    const { clientId, plugin } = session;
    const started = drain(session);
    drains.set(clientId, started);
    log.warn({ clientId, plugin }, 'A node no longer renews its session at the broker: it is emptied here');
    void started.ended
      .then(async (outcome) => {
        handovers.inc({ outcome });
        log.info({ clientId, plugin, outcome, messages: started.messages }, 'A session taken over has ended');
        if (outcome === 'drained') await store.forget(clientId);
      })
      // Its row stays and goes stale: it is claimed again.
      .catch((error: unknown) => log.warn({ err: error, clientId }, 'A session taken over is not forgotten yet'))
      .finally(() => drains.delete(clientId));
  }

  async function claim(sessions: readonly BrokerSession[]): Promise<void> {
    const plugins = [...new Set(sessions.map(({ plugin }) => plugin))];
    while (!stopped && plugins.length > 0 && drains.size < drainsMax) {
      const session = await store.claim(plugins, leaseMs);
      if (session === undefined) return;
      follow(session);
    }
  }

  async function turn(): Promise<void> {
    const sessions = own();
    try {
      await store.renew(sessions);
      renewingSinceMs ??= now();
      for (const [clientId, started] of drains) {
        if (!(await store.keep(clientId))) started.stop();
      }
      // While the database was away nobody could renew: the others get a lease's time to say that they live.
      if (now() - renewingSinceMs >= leaseMs) await claim(sessions);
    } catch (error) {
      renewingSinceMs = undefined;
      log.debug({ err: error }, 'Sessions at the broker are not renewed: the database does not answer');
    }
  }

  function schedule(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      running = turn().finally(schedule);
    }, leaseMs / 3);
  }

  return {
    start() {
      stopped = false;
      running = turn().finally(schedule);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const started of drains.values()) started.stop();
      await running;
      await Promise.all([...drains.values()].map((started) => started.ended));
    },
  };
}
