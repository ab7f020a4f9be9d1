/** The plugin's thread: hardened first, then the plugin's code, then setup(), then calls until `stop`. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import type { Plugin } from '#plugin-api';
import type { ThreadBoot } from './boot.ts';
import { connectCore } from './core-connection.ts';
import { createContext } from './context/context.ts';
import { hardenThread } from './harden/harden-thread.ts';
import { createThreadPulse } from './thread-pulse.ts';

export function run(boot: ThreadBoot): void {
  startPulse(boot);
  const core = connectCore(boot);
  const { context, registrations } = createContext({ core, plugin: boot.plugin, env: boot.env });
  hardenThread({ boot, core, report: (report) => parentPort?.postMessage(report) });
  start(boot).then(
    (plugin) => core.onStop(async () => plugin.stop?.()),
    (error: unknown) => core.bootFailed(error),
  );

  async function start({ main, broken }: ThreadBoot): Promise<Plugin> {
    if (broken !== null) throw new SyntaxError(broken);
    const plugin = await importPlugin(main.url);
    await plugin.setup(context);
    await registrations.close();
    await core.call('plugin.ready', {});
    return plugin;
  }
}

async function importPlugin(mainUrl: string): Promise<Plugin> {
  const exported = (await import(mainUrl)) as { plugin?: Partial<Plugin> };
  const { plugin } = exported;
  if (typeof plugin?.setup !== 'function') {
    const names = Object.keys(exported).join(', ');
    throw new TypeError(
      `Cannot start plugin: plugin.ts must export 'plugin' with a setup(): it exports ${names || 'nothing'}`,
    );
  }
  return plugin as Plugin;
}

/** The timer is taken before the plugin can replace it. */
function startPulse(boot: ThreadBoot): void {
  const pulse = createThreadPulse(boot.pulse);
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const beat = (): void => {
    pulse.beat(delay.percentile(99) / 1e9);
    delay.reset();
  };
  beat();
  setInterval(beat, boot.limits.heartbeatMs / 2).unref();
}
