import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { numberFlag } from './flags.ts';
import { readCoreHealth, watchMemory, type CoreHealth } from './ingest/core-health.ts';
import { measureFlatOut, measureLag, type FlatOut } from './ingest/side.ts';
import { startBaselineSide, startMosquitto, startPlatformSide, type BenchRig } from './ingest/sides.ts';
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
 * with Mosquitto, against MQTT.js and an insert written by hand.
 * `--fixes=` of each measurement, `--seconds=` at half the rate, `--minutes=` flat out while memory is watched.
 */
export async function benchIngest(): Promise<BenchResult> {
  const fixes = numberFlag('fixes', 60_000);
  const seconds = numberFlag('seconds', 10);
  const minutes = numberFlag('minutes', 0);
  const stops: (() => Promise<void>)[] = [];
  try {
    const embedded = await startPlatformSide(devices);
    const own = await measure(embedded, { fixes, seconds });
    if (minutes > 0) await runLong(embedded, minutes);
    await embedded.stop();
    const mosquitto = await startMosquitto();
    stops.push(() => mosquitto.stop());
    const external = await startPlatformSide(devices, mosquitto);
    stops.unshift(() => external.stop());
    const theirs = await measure(external, { fixes, seconds });
    // The platform is gone while the baseline runs, but for its Postgres: they would share the messages.
    process.kill(external.rig.core.child.pid ?? 0, 'SIGSTOP');
    const baseline = await startBaselineSide(external.rig, mosquitto);
    const hand = await measureFlatOut(baseline.side, fixes);
    await baseline.stop();
    process.kill(external.rig.core.child.pid ?? 0, 'SIGCONT');
    return toResult(own, theirs, hand);
  } finally {
    for (const stop of stops) await stop();
    await killCores();
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
    const memory = watchMemory(rig, async () => (await load.ask({ do: 'totals' })).acknowledged);
    await wait(minutes * 60_000);
    memory.stop();
  } finally {
    await load.stop();
  }
}

function toResult(own: Measured, theirs: Measured, hand: FlatOut): BenchResult {
  const cpu = (name: string, { cpuUs }: FlatOut): Record<string, number> =>
    Object.fromEntries([
      ...Object.entries(cpuUs).map(([part, us]) => [`${name}_${part}_cpu_us_per_fix`, us]),
      [`${name}_cpu_us_per_fix`, Object.values(cpuUs).reduce((sum, us) => sum + us, 0)],
    ]) as Record<string, number>;
  const side = (name: string, { flatOut, lag, health }: Measured): Record<string, number> => ({
    [`${name}_fixes_per_s`]: flatOut.perSecond,
    [`${name}_ratio`]: flatOut.perSecond / hand.perSecond,
    [`${name}_publish_to_commit_p50_ms`]: lag.p50Ms,
    [`${name}_publish_to_commit_p99_ms`]: lag.p99Ms,
    [`${name}_event_loop_p99_ms`]: health.eventLoopP99Ms,
    [`${name}_core_rss_mib`]: health.rssMiB,
    ...cpu(name, flatOut),
  });
  return {
    bench: 'ingest',
    unit: 'fixes/s',
    ours: own.flatOut.perSecond,
    baseline: hand.perSecond,
    ratio: own.flatOut.perSecond / hand.perSecond,
    figures: { ...side('embedded', own), ...side('mosquitto', theirs), ...cpu('baseline', hand) },
  };
}
