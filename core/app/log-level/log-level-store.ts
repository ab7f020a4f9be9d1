import type { AccessDatabase } from '#core/http/access-database.ts';
import type { LogTarget } from '#core/telemetry/log-levels.ts';

/** What ops may set: an error is written whatever they say. */
export const settableLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export type SettableLevel = (typeof settableLevels)[number];

/** A level that was set and is not over. */
export interface SetLevel extends LogTarget {
  readonly level: SettableLevel;
  readonly setBy: { readonly role: string; readonly id: string };
  readonly setAt: Date;
  readonly until: Date;
  /** Until then, by the database's clock: nodes' clocks may differ. */
  readonly leftMs: number;
}

export interface LevelToSet extends LogTarget, Pick<SetLevel, 'level' | 'setBy'> {
  readonly seconds: number;
}

export interface LogLevelStore {
  read(): Promise<readonly SetLevel[]>;
  /** In place of what was set of the same lines. */
  set(change: LevelToSet): Promise<void>;
  clear(target: LogTarget): Promise<void>;
  /** Every plugin that any node on this database has run. */
  plugins(): Promise<readonly string[]>;
}

const readText = `select component, plugin, level, set_by_role, set_by, set_at, expires_at,
  extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as left_ms
from returnit.log_level where expires_at > clock_timestamp() order by plugin, component`;

const setText = `with over as (
  delete from returnit.log_level where expires_at <= clock_timestamp() and (component, plugin) <> ($1, $2)
)
insert into returnit.log_level (component, plugin, level, set_by_role, set_by, expires_at)
values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
on conflict (component, plugin) do update set level = excluded.level, set_by_role = excluded.set_by_role,
  set_by = excluded.set_by, set_at = excluded.set_at, expires_at = excluded.expires_at`;

const clearText = `delete from returnit.log_level where component = $1 and plugin = $2`;

const pluginsText = `select name from returnit.plugin order by name`;

interface LevelRow {
  readonly component: string;
  readonly plugin: string;
  readonly level: SettableLevel;
  readonly set_by_role: string;
  readonly set_by: string;
  readonly set_at: Date;
  readonly expires_at: Date;
  readonly left_ms: number;
}

/** `returnit.log_level`. */
export function createLogLevelStore(database: AccessDatabase): LogLevelStore {
  return {
    async read() {
      const { rows } = await database.query({ name: 'read_log_levels', text: readText, values: [] });
      return (rows as readonly LevelRow[]).map(toSetLevel);
    },
    async set({ component = '', plugin = '', level, setBy, seconds }) {
      const values = [component, plugin, level, setBy.role, setBy.id, seconds];
      await database.query({ name: 'set_log_level', text: setText, values });
    },
    async clear({ component = '', plugin = '' }) {
      await database.query({ name: 'clear_log_level', text: clearText, values: [component, plugin] });
    },
    async plugins() {
      const { rows } = await database.query({ name: 'read_known_plugins', text: pluginsText, values: [] });
      return (rows as readonly { readonly name: string }[]).map(({ name }) => name);
    },
  };
}

function toSetLevel(row: LevelRow): SetLevel {
  return {
    ...(row.component === '' ? {} : { component: row.component }),
    ...(row.plugin === '' ? {} : { plugin: row.plugin }),
    level: row.level,
    setBy: { role: row.set_by_role, id: row.set_by },
    setAt: row.set_at,
    until: row.expires_at,
    leftMs: row.left_ms,
  };
}
