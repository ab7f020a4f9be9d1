import type { Principal } from '#plugin-api';
import type { Actor } from './lifecycle.ts';

export function toActor(principal: Principal): Actor {
  const { id, role } = principal;
  // The routes admit neither; the core has refused them before.
  if (role === 'anonymous' || role === 'device') throw new TypeError(`Cannot act for a principal that is ${role}`);
  return { kind: role, id };
}
