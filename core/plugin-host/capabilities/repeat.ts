import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Failure } from '#core/telemetry/follow.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { method, type Capability } from '../capability.ts';
import type { PluginCalls } from '../protocol/calls.ts';
import { handlerOutcomes, toHandlerOutcome } from '../supervisor/handler-outcome.ts';

type Repeat = PluginCalls['repeat.start']['args'];

const repeatsPerPluginMax = 20;
const dayMs = 86_400_000;

const StartArgs = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }),
    everyMs: Type.Integer({ minimum: 1000, maximum: dayMs }),
    handler: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);

export interface RepeatCapabilityOptions {
  readonly telemetry: Telemetry;
  readonly config: Pick<Config, 'jobTimeoutMs'>;
}

/** `ctx.repeat`: work of a plugin's process that is run again and again for as long as the process lives. */
export function createRepeatCapability({ telemetry, config }: RepeatCapabilityOptions): Capability {
  const { metrics, logger } = telemetry;
  const runs = metrics.counter('returnit_plugin_repeats_total');
  /** By plugin, each name with the process that repeats it: names stay, so that no plugin makes ever new label values. */
  const owners = new Map<string, Map<string, PluginInstance>>();

  function claim(instance: PluginInstance, name: string): void {
    const plugin = instance.plugin.name;
    const own = owners.getOrInsertComputed(plugin, () => new Map<string, PluginInstance>());
    if (own.get(name) === instance) {
      throw new AppError('INVALID_CALL', `Cannot repeat "${name}": ${plugin} repeats another work of this name`);
    }
    if (!own.has(name) && own.size >= repeatsPerPluginMax) {
      throw new AppError('OVERLOADED', `Cannot repeat "${name}": ${plugin} repeats ${repeatsPerPluginMax} already`);
    }
    own.set(name, instance);
    for (const outcome of handlerOutcomes) runs.inc({ plugin, name, outcome }, 0);
  }

  async function run(instance: PluginInstance, { name, handler }: Repeat): Promise<void> {
    const plugin = instance.plugin.name;
    const measured = (failure: Failure): void => {
      const outcome = failure === null ? 'ok' : toHandlerOutcome(failure.error);
      runs.inc({ plugin, name, outcome });
      if (failure === null) return;
      const log = logger.child({ component: 'repeat', plugin });
      // Of a process that ends, its end is told elsewhere.
      const level = outcome === 'unavailable' ? 'debug' : 'warn';
      log[level]({ err: failure.error, repeat: name, outcome }, `Repeated work "${name}" failed: it is run again`);
    };
    try {
      await withSpan(`repeat ${name}`, { attributes: { 'returnit.plugin': plugin }, measured }, () =>
        instance.handle(handler, {}, { timeoutMs: config.jobTimeoutMs }),
      );
    } catch {
      // It was counted and logged in its span.
    }
  }

  function start(instance: PluginInstance, repeat: Repeat): void {
    let running = false;
    async function next(): Promise<void> {
      if (running) return;
      running = true;
      await run(instance, repeat);
      running = false;
    }
    const timer = setInterval(() => void next(), repeat.everyMs).unref();
    instance.gone.addEventListener('abort', () => clearInterval(timer), { once: true });
    void next();
  }

  return {
    name: 'repeat',
    methods: {
      start: method<Repeat>({
        args: StartArgs,
        run(repeat, { instance }) {
          claim(instance, repeat.name);
          // Timers keep the context they are made in, and every run would else be a part of the plugin's start.
          if (!instance.gone.aborted) context.with(ROOT_CONTEXT, () => start(instance, repeat));
          return null;
        },
      }),
    },
  };
}
