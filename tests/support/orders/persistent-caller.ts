import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Role } from '#plugin-api';
import type { Rig } from '../ingest/rig.ts';

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
}

/**
 * A client as a careful one is: it sends a request again, with the same `Idempotency-Key`, until the platform has answered
 * it, whatever dies meanwhile.
 */
export interface PersistentCaller {
  call<Body>(verb: 'GET' | 'POST', path: string, body?: object): Promise<Answer<Body>>;
}

const attemptMs = 15_000;
const givesUpAfterMs = 180_000;
const pauseMs = 150;
/** What says that the platform could not answer now: the same request is to be sent again. */
const again: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

export function createPersistentCaller(rig: Rig, role: Role, subject: string): PersistentCaller {
  return {
    async call<Body>(verb: 'GET' | 'POST', path: string, body?: object): Promise<Answer<Body>> {
      const key = randomUUID();
      const endMs = Date.now() + givesUpAfterMs;
      let last: unknown;
      while (Date.now() < endMs) {
        try {
          const { token = '' } = await rig.core.as(role, subject);
          const response = await fetch(`${rig.core.addresses.api}${path}`, {
            method: verb,
            headers: {
              authorization: `Bearer ${token}`,
              ...(verb === 'POST' ? { 'idempotency-key': key, 'content-type': 'application/json' } : {}),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            signal: AbortSignal.timeout(attemptMs),
          });
          const text = await response.text();
          if (!again.has(response.status) && !isInProgress(text))
            return { status: response.status, body: JSON.parse(text) as Body };
          last = `${response.status} ${text}`;
        } catch (error) {
          // The core is away, or was while it answered.
          last = error;
        }
        await wait(pauseMs);
      }
      throw new Error(`${verb} ${path} was never answered: ${String(last)}`);
    },
  };
}

/** The first attempt is still being handled. */
const isInProgress = (text: string): boolean => text.includes('"IDEMPOTENCY_IN_PROGRESS"');
