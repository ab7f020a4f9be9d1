import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { Pool } from 'undici';
import type { Role } from '#plugin-api';
import type { Rig } from '../../support/ingest/rig.ts';

const connections = 48;
const attemptsMax = 20;
const pauseMs = 250;
/** A token is good for an hour; a day may take longer. */
const tokenMs = 30 * 60_000;
const peopleMax = 10_000;
/** The platform is busy or away for a moment: the same request comes again, as a phone's app would send it. */
const again: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body & { readonly code?: string };
}

export interface Crowd {
  /** Requests so far, and those that had to be sent again. */
  readonly requests: number;
  readonly repeated: number;
  call<Body>(who: Who, verb: 'GET' | 'POST', path: string, body?: object): Promise<Answer<Body>>;
  stop(): Promise<void>;
}

export interface Who {
  readonly role: Role;
  readonly id: string;
}

/** Everybody who calls the API in a day, over the connections of a few processes. */
export function createCrowd({ core }: Rig): Crowd {
  const pool = new Pool(core.addresses.api, { connections, pipelining: 1 });
  const tokens = new LRUCache<string, Promise<string>>({ max: peopleMax, ttl: tokenMs });
  let requests = 0;
  let repeated = 0;
  const tokenOf = ({ role, id }: Who): Promise<string> => {
    const who = `${role} ${id}`;
    const known = tokens.get(who);
    if (known !== undefined) return known;
    const token = core.as(role, id).then((api) => api.token ?? '');
    tokens.set(who, token);
    return token;
  };
  return {
    get requests() {
      return requests;
    },
    get repeated() {
      return repeated;
    },
    async call<Body>(who: Who, verb: 'GET' | 'POST', path: string, body?: object): Promise<Answer<Body>> {
      const key = randomUUID();
      const token = await tokenOf(who);
      for (let attempt = 1; ; attempt += 1) {
        requests += 1;
        const answer = await pool.request({
          method: verb,
          path,
          headers: {
            authorization: `Bearer ${token}`,
            ...(verb === 'POST' ? { 'idempotency-key': key } : {}),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await answer.body.text();
        if (!again.has(answer.statusCode) || attempt === attemptsMax) {
          return { status: answer.statusCode, body: JSON.parse(text) as Answer<Body>['body'] };
        }
        repeated += 1;
        await wait(pauseMs * attempt);
      }
    },
    stop: () => pool.close(),
  };
}
