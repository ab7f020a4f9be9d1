import { Type, type Static } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { method, type Capability } from '../capability.ts';

const WriteArgs = Type.Object(
  {
    level: Type.Enum(['debug', 'info', 'warn', 'error']),
    message: Type.String(),
    fields: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false },
);

export interface LogCapabilityOptions {
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'pluginLogLinesPerSecondMax' | 'pluginLogLineMaxBytes'>;
  /** @default Date.now */
  readonly now?: () => number;
}

interface Window {
  startedAtMs: number;
  lines: number;
  dropped: number;
}

/**
 * `ctx.log`: the plugin's lines in the log of the core, under its name. Its fields stand under `fields`, so that no
 * plugin can write as another or forge a trace id. More lines than allowed in a second are dropped and counted, and the
 * first line after says how many.
 */
export function createLogCapability(options: LogCapabilityOptions): Capability {
  const { telemetry, config, now = Date.now } = options;
  const dropped = telemetry.metrics.counter('returnit_plugin_log_lines_dropped_total');
  const windows = new Map<string, Window>();
  const loggers = new Map<string, Telemetry['logger']>();

  function loggerOf(plugin: string): Telemetry['logger'] {
    const logger = loggers.get(plugin) ?? telemetry.logger.child({ plugin });
    loggers.set(plugin, logger);
    return logger;
  }

  /** False when the plugin has written enough in this second. */
  function admit(plugin: string): boolean {
    const window = windows.get(plugin) ?? { startedAtMs: now(), lines: 0, dropped: 0 };
    windows.set(plugin, window);
    if (now() - window.startedAtMs >= 1000) {
      if (window.dropped > 0)
        loggerOf(plugin).warn(
          { lines: window.dropped },
          'Log lines of the plugin were dropped: it wrote too many in a second',
        );
      Object.assign(window, { startedAtMs: now(), lines: 0, dropped: 0 });
    }
    if (window.lines < config.pluginLogLinesPerSecondMax) {
      window.lines += 1;
      return true;
    }
    window.dropped += 1;
    dropped.inc({ plugin });
    return false;
  }

  return {
    name: 'log',
    methods: {
      write: method<Static<typeof WriteArgs>>({
        args: WriteArgs,
        oneWay: true,
        run: ({ level, message, fields }, { instance }) => {
          const logger = loggerOf(instance.plugin.name);
          // What is not written costs the plugin nothing of what it may write.
          if (!logger.isLevelEnabled(level) || !admit(instance.plugin.name)) return;
          const lineMax = config.pluginLogLineMaxBytes;
          const text = message.length > lineMax ? `${message.slice(0, lineMax)}…` : message;
          logger[level](bounded(fields, lineMax), text);
        },
      }),
    },
  };
}

function bounded(fields: Readonly<Record<string, unknown>>, maxBytes: number): object {
  if (Object.keys(fields).length === 0) return {};
  const bytes = Buffer.byteLength(JSON.stringify(fields));
  return bytes > maxBytes ? { fieldsDropped: `${bytes} bytes, at most ${maxBytes} are logged` } : { fields };
}
