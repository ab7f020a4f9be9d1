import { Type, type Static } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { RequestRefusal } from '#core/http/request-refusal.ts';
import type { RouteTable } from '#core/http/route-table.ts';
import type { RouteRequest, RouteResponse } from '#core/http/route.ts';
import { logComponents, type LogLevels, type LogTarget } from '#core/telemetry/log-levels.ts';
import { settableLevels, type LogLevelStore, type SetLevel } from './log-level-store.ts';
import type { LogLevelSync } from './log-level-sync.ts';

export interface LogLevelRoutesOptions {
  readonly store: LogLevelStore;
  readonly sync: Pick<LogLevelSync, 'current' | 'refresh'>;
  readonly levels: Pick<LogLevels, 'configured' | 'levelOf'>;
  readonly config: Pick<Config, 'logLevelSeconds' | 'logLevelSecondsMax'>;
  /** Plugins of this node, whether they have ever run or not. */
  readonly plugins: readonly string[];
  /** Written before the level changes. @throws when it cannot be written */
  readonly audit: (change: {
    /** Of whose lines, from which level on, and for how long. */
    readonly resource: string;
    /** Who. */
    readonly rule: string;
  }) => void;
}

const closed = { additionalProperties: false } as const;
const owner = { name: 'core', id: 'core' };
/** Whose lines those of the core's own routes are. */
const corePlugin = 'core';

const Component = Type.Enum([...logComponents], { description: 'As `component` stands in the lines' });
const Plugin = Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$', description: 'As `plugin` stands in the lines' });
const Level = Type.Enum([...settableLevels]);
const Moment = Type.String({ format: 'date-time' });

const SetLevelView = Type.Object(
  {
    component: Type.Optional(Type.String()),
    plugin: Type.Optional(Type.String()),
    level: Level,
    setBy: Type.Object({ role: Type.String(), id: Type.String() }, closed),
    setAt: Moment,
    until: Type.String({ format: 'date-time', description: 'Then it is as before' }),
  },
  closed,
);
const LogLevelView = Type.Object(
  {
    configured: Type.String({ description: 'LOG_LEVEL of this node' }),
    level: Type.String({ description: 'What holds where nothing else is set' }),
    set: Type.Array(SetLevelView, {
      description: 'What ops have set: that of a plugin comes before that of a component, and both before `level`',
    }),
  },
  closed,
);

function toChange(secondsMax: number) {
  return Type.Object(
    {
      level: Type.Union([Level, Type.Null()], { description: 'null: as it is configured again' }),
      component: Type.Optional(Component),
      plugin: Type.Optional(Plugin),
      seconds: Type.Optional(
        Type.Integer({ minimum: 1, maximum: secondsMax, description: 'How long it holds; default: LOG_LEVEL_SECONDS' }),
      ),
    },
    { ...closed, description: 'Of the lines of a component or of a plugin; with neither, of all lines' },
  );
}
type Change = Static<ReturnType<typeof toChange>>;

/** From which level on lines are written, on all nodes: ops look closer for a while, without a restart. */
export function addLogLevelRoutes(routes: RouteTable, options: LogLevelRoutesOptions): void {
  const answer = (): RouteResponse => ({ status: 200, text: JSON.stringify(toView(options)) });
  routes.add({
    verb: 'GET',
    path: '/ops/log-level',
    owner,
    summary: 'From which level on lines of the log are written, and what ops have set for a time',
    roles: ['ops'],
    response: { 200: LogLevelView },
    run: answer,
  });
  routes.add({
    verb: 'PUT',
    path: '/ops/log-level',
    owner,
    summary: 'Sets the level of a plugin, a component or all lines on every node; it ends by itself',
    roles: ['ops'],
    body: toChange(options.config.logLevelSecondsMax),
    response: { 200: LogLevelView },
    async run(request) {
      await change(request, options);
      return answer();
    },
  });
}

async function change({ principal, body }: RouteRequest, options: LogLevelRoutesOptions): Promise<void> {
  const { level, component, plugin, ...given } = body as Change;
  const { store, config, audit } = options;
  if (component !== undefined && plugin !== undefined) {
    throw invalid('#/component', 'must be left out where "plugin" is given: a plugin has one level in all components');
  }
  if (level === null && given.seconds !== undefined) {
    throw invalid('#/seconds', 'must be left out where "level" is null: what is configured holds for good');
  }
  if (plugin !== undefined) await assertKnown(plugin, options);
  const target: LogTarget = { component, plugin };
  const seconds = given.seconds ?? Math.min(config.logLevelSeconds, config.logLevelSecondsMax);
  const { role, id } = principal;
  audit({
    resource: `${describe(target)}: ${level === null ? 'as configured' : `${level} for ${seconds} s`}`,
    rule: `${role} "${id}"`,
  });
  if (level === null) await store.clear(target);
  else await store.set({ ...target, level, seconds, setBy: { role, id } });
  await options.sync.refresh();
}

/** A name that was mistyped would seem to have taken effect. */
async function assertKnown(plugin: string, { store, plugins }: LogLevelRoutesOptions): Promise<void> {
  const known = new Set([corePlugin, ...plugins, ...(await store.plugins())]);
  if (!known.has(plugin)) throw invalid('#/plugin', `must be one of ${[...known].toSorted().join(', ')}`);
}

const describe = ({ component, plugin }: LogTarget): string => {
  if (plugin !== undefined) return `plugin ${plugin}`;
  return component === undefined ? 'all lines' : `component ${component}`;
};

function toView({ levels, sync }: LogLevelRoutesOptions): Static<typeof LogLevelView> {
  return { configured: levels.configured, level: levels.levelOf({}), set: sync.current().map(toSetView) };
}

function toSetView({ component, plugin, level, setBy, setAt, until }: SetLevel): Static<typeof SetLevelView> {
  return {
    ...(component === undefined ? {} : { component }),
    ...(plugin === undefined ? {} : { plugin }),
    level,
    setBy: { ...setBy },
    setAt: setAt.toISOString(),
    until: until.toISOString(),
  };
}

function invalid(pointer: string, detail: string): RequestRefusal {
  return new RequestRefusal('VALIDATION_FAILED', `Cannot PUT /ops/log-level: body ${pointer} ${detail}`, {
    errors: [{ in: 'body', pointer, detail }],
  });
}
