import type pg from 'pg';
import type { postgresReadings } from '#core/telemetry/catalogue/postgres.ts';
import { toRole, toSchema } from '../identifiers.ts';
import { monitorRole } from '../monitor-role.ts';
import type { Figures } from './figures.ts';

/** Who there is, so that each figure can be told to be somebody's. */
export interface Scope {
  /** The name of the role of DATABASE_URL. */
  readonly adminRole: string;
  readonly plugins: readonly string[];
  /** Tables, indexes and statements that are shown one by one. */
  readonly top: number;
}

export interface Reading {
  readonly name: (typeof postgresReadings)[number];
  read(client: pg.Client, figures: Figures, scope: Scope): Promise<void>;
}

/** Values of the label `plugin`: bounded, whatever programs and roles there are. */
export const ownersOf = ({ plugins }: Scope): readonly string[] => ['core', ...plugins, 'other'];

/** Whose a session is. The core's role is also the operator's, who has other programs. @param isOurs it has a name of the core's */
export function ownerOf(role: string, scope: Scope, isOurs = true): string {
  if (role === monitorRole || (role === scope.adminRole && isOurs)) return 'core';
  return scope.plugins.find((plugin) => toRole(plugin) === role) ?? 'other';
}

/** Schemas of the platform: a database that is shared may have any number of others. */
export const schemasOf = ({ plugins }: Scope): readonly string[] => ['returnit', 'pgboss', ...plugins.map(toSchema)];
