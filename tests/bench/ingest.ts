import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import type { ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import type { Rig } from '../support/ingest/rig.ts';
import { numberFlag, textFlag } from './flags.ts';
import { readCoreHealth, watchMemory, type CoreHealth } from './ingest/core-health.ts';
import { measureFlatOut, measureLag, type FlatOut } from './ingest/side.ts';
import {
  startBaselineSide,
  startOpenMosquitto,
  startPlatformSide,
  startShippedMosquitto,
  type BenchRig,
} from './ingest/sides.ts';
import { startLoad } from './ingest/load-process.ts';
import type { BenchResult } from './report.ts';

const devices = 100;

interface Measured {
  readonly flatOut: FlatOut;
  readonly lag: { readonly p50Ms: number; readonly p99Ms: number };
  readonly health: CoreHealth;
}

/**
 * QoS 1 fixes of 100 devices, each with credentials of its own, committed and acknowledged: with the embedded broker and
 * with the shipped Mosquitto, each against MQTT.js and an insert written by hand that runs right behind it, on a Mosquitto
 * that asks nobody who he is and on the shipped one.
 * `--fixes=` of each measurement, `--seconds=` at half the rate, `--minutes=` flat out while memory is watched (10 is the
 * long form), `--brokers=embedded,mosquitto`.
 */
export async function benchIngest(): Promise<BenchResult> {
  const options = {
    fixes: numberFlag('fixes', 60_000),
    seconds: numberFlag('seconds', 10),
    minutes: numberFlag('minutes', 0),
  };
  const brokers = (textFlag('brokers') ?? 'embedded,mosquitto').split(',');
  const compared: Compared[] = [];
  try {
    if (brokers.includes('embedded')) compared.push(await compare('embedded', options));
    if (brokers.includes('mosquitto')) {
      const mosquitto = await startShippedMosquitto();
      try {
        compared.push(await compare('mosquitto', options, mosquitto));
      } finally {
        await mosquitto.stop();
      }
    }
  } finally {
    await killCores();
  }
  return toResult(compared);
}

interface Compared {
  readonly name: string;
  readonly ours: Measured;
  readonly baseline: FlatOut;
}

interface Extent {
  readonly fixes: number;
  readonly seconds: number;
  readonly minutes: number;
}

async function compare(name: string, extent: Extent, mosquitto?: ShippedMosquitto): Promise<Compared> {
  const platform = await startPlatformSide(devices, mosquitto);
  try {
    const ours = await measure(platform, extent);
    const baseline = await measureBaseline(platform.rig, extent.fixes, mosquitto);
    if (extent.minutes > 0) await runLong(platform, extent.minutes);
    return { name, ours, baseline };
  } finally {
    await platform.stop();
  }
}

/** With a broker of its own: the platform's would keep each message for the platform too. */
async function measureBaseline(rig: Rig, fixes: number, shipped?: ShippedMosquitto): Promise<FlatOut> {
  const mosquitto = await (shipped === undefined ? startOpenMosquitto() : startShippedMosquitto(shipped));
  const core = rig.core.child.pid ?? 0;
  // The platform stands still meanwhile, but for its Postgres.
  process.kill(core, 'SIGSTOP');
  try {
    const baseline = await startBaselineSide(rig, mosquitto);
    const flatOut = await measureFlatOut(baseline.side, fixes);
    await baseline.stop();
    return flatOut;
  } finally {
    process.kill(core, 'SIGCONT');
    await mosquitto.stop();
  }
}

async function measure(
  { rig, side }: BenchRig,
  { fixes, seconds }: { readonly fixes: number; readonly seconds: number },
): Promise<Measured> {
  const before = await readCoreHealth(rig);
  const flatOut = await measureFlatOut(side, fixes);
  const after = await readCoreHealth(rig);
  const lag = await measureLag(side, { perSecond: flatOut.perSecond / 2, seconds });
  return { flatOut, lag, health: after.since(before) };
}

async function runLong({ rig, side }: BenchRig, minutes: number): Promise<void> {
  const load = startLoad();
  try {
    await load.ask({ do: 'connect', url: side.url, devices: side.devices, baseMs: Date.now() - 2 * 86_400_000 });
    await load.ask({ do: 'flat-out', windowMax: 100, clock: 'number' });
    const memory = watchMemory(rig, async () => (await load.ask({ do: 'counts' })).acknowledged);
    await wait(minutes * 60_000);
    memory.stop();
  } finally {
    await load.stop();
  }
}

function toResult(compared: readonly Compared[]): BenchResult {
  const cpu = (name: string, { cpuUs }: FlatOut): Record<string, number> =>
    Object.fromEntries([
      ...Object.entries(cpuUs).map(([part, us]) => [`${name}_${part}_cpu_us_per_fix`, us]),
      [`${name}_cpu_us_per_fix`, Object.values(cpuUs).reduce((sum, us) => sum + us, 0)],
    ]) as Record<string, number>;
  const side = ({ name, ours: { flatOut, lag, health }, baseline }: Compared): Record<string, number> => ({
    [`${name}_fixes_per_s`]: flatOut.perSecond,
    [`${name}_baseline_fixes_per_s`]: baseline.perSecond,
    [`${name}_ratio`]: flatOut.perSecond / baseline.perSecond,
    [`${name}_fixes_per_batch`]: health.fixesPerBatch,
    [`${name}_publish_to_commit_p50_ms`]: lag.p50Ms,
    [`${name}_publish_to_commit_p99_ms`]: lag.p99Ms,
    [`${name}_event_loop_p99_ms`]: health.eventLoopP99Ms,
    [`${name}_core_rss_mib`]: health.rssMiB,
    ...cpu(name, flatOut),
    ...cpu(`${name}_baseline`, baseline),
  });
  const [first] = compared;
  if (first === undefined) throw new Error("Cannot measure without a broker: choose from 'embedded' and 'mosquitto'");
  const ours = first.ours.flatOut.perSecond;
  const baseline = first.baseline.perSecond;
  const figures = Object.assign({}, ...compared.map(side)) as Record<string, number>;
  return { bench: 'ingest', unit: 'fixes/s', ours, baseline, ratio: ours / baseline, figures };
}
