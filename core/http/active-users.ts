import type { Principal } from '#plugin-api';

export interface ActiveUsers {
  /** Somebody has asked for something. Devices and those without a name are no users. */
  saw(principal: Principal, nowMs: number): void;
  /** How many have within the last `withinMs`, to one in a hundred of that. */
  count(nowMs: number): number;
}

export interface ActiveUsersOptions {
  readonly withinMs: number;
  /** Users that are remembered; of more, the one heard of longest ago goes. @default 100000 */
  readonly usersMax?: number;
}

/** Who uses the platform now, by this node. */
export function createActiveUsers({ withinMs, usersMax = 100_000 }: ActiveUsersOptions): ActiveUsers {
  /** Who asks often is noted this seldom: to move somebody in a large map costs as much as a span. */
  const stepMs = withinMs / 100;
  /** When each was last noted, in the order of that. */
  const seenMs = new Map<string, number>();
  /** The same, of who comes with the same token again: nobody's name is put together for each request. */
  const notedMs = new WeakMap<Principal, number>();

  const forgetUntil = (ms: number): void => {
    for (const [user, seen] of seenMs) {
      if (seen > ms) return;
      seenMs.delete(user);
    }
  };

  return {
    saw(principal, nowMs) {
      const { role, id } = principal;
      if (role === 'device' || role === 'anonymous') return;
      const notedAtMs = notedMs.get(principal);
      if (notedAtMs !== undefined && nowMs - notedAtMs < stepMs) return;
      notedMs.set(principal, nowMs);
      const user = `${role} ${id}`;
      const seen = seenMs.get(user);
      if (seen !== undefined && nowMs - seen < stepMs) return;
      seenMs.delete(user);
      seenMs.set(user, nowMs);
      if (seenMs.size <= usersMax) return;
      const [oldest] = seenMs.keys();
      if (oldest !== undefined) seenMs.delete(oldest);
    },
    count(nowMs) {
      forgetUntil(nowMs - withinMs);
      return seenMs.size;
    },
  };
}
