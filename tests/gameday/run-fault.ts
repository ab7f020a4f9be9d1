/** One fault on a system of its own, from a quiet start to a quiet end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ProjectCopy } from '../support/project-copy.ts';
import { until } from '../support/until.ts';
import { deadlinesOf, findAlert, type Deadlines } from './deadlines.ts';
import type { Expected, Fault } from './fault.ts';
import { findUnrelatedPages, isExpected, isToldTo, judge, type Seen, type Verdict } from './judge.ts';
import type { Told } from './receiver.ts';
import { startSystem, type System } from './system.ts';

export interface FaultResult {
  readonly fault: Fault;
  readonly verdicts: readonly Verdict[];
  readonly unrelatedPages: readonly string[];
  /** What went wrong apart from alerts: the fault could not be brought about. */
  readonly error?: Error;
}

export interface RunOptions {
  readonly project: ProjectCopy;
  readonly factor: number;
  /** Waits so many times longer for everything, on a machine with much else to do. @default 1 */
  readonly patience?: number;
}

const pollMs = 100;
/** A platform that has just started has much to do. */
const quietMs = 60_000;

export async function runFault(fault: Fault, options: RunOptions): Promise<FaultResult> {
  const { patience = 1 } = options;
  let system: System | undefined;
  try {
    system = await startSystem(options.project, options.factor, fault.needs);
    await fault.prepare?.(system);
    await untilQuiet(fault, system, patience * quietMs);
    const verdicts = await watch(fault, system, patience);
    const unrelatedPages = pagesOf(fault, system);
    return { fault, unrelatedPages, verdicts: verdicts.map((seen) => judge(seen, unrelatedPages)) };
  } catch (error) {
    const unrelatedPages = system === undefined ? [] : pagesOf(fault, system);
    return { fault, unrelatedPages, verdicts: [], error: error as Error };
  } finally {
    await system?.stop();
  }
}

const pagesOf = ({ expects, consequences = [] }: Fault, { monitoring }: System): readonly string[] =>
  findUnrelatedPages(monitoring.receiver.told, expects, consequences);

/**
 * The heartbeat has come the whole way, all nodes are scraped, and neither is anything there that the fault is to bring about
 * nor what somebody is called for. A warning may be: the machine may have much else to do.
 */
async function untilQuiet({ expects }: Fault, { monitoring }: System, timeoutMs: number): Promise<void> {
  await until(
    'the heartbeat is heard',
    () =>
      monitoring.receiver.told.some(
        ({ who, labels }) => who === 'ALERT_HEARTBEAT_URL' && labels['alertname'] === 'Watchdog',
      ),
    timeoutMs,
  );
  let wrong: readonly string[] = [];
  const isQuiet = async (): Promise<boolean> => {
    const up = await monitoring.query('min(up) and on () count(up) >= 3');
    const active = (await monitoring.alerts()).filter(
      ({ labels }) => labels['severity'] === 'critical' || expects.some(({ alert }) => alert === labels['alertname']),
    );
    wrong = [
      ...(up[0] === 1 ? [] : ['not all is scraped']),
      ...active.map(({ labels, state }) => `${labels['alertname']} is ${state}`),
    ];
    return wrong.length === 0;
  };
  await until('all is well', isQuiet, timeoutMs).catch((error: unknown) => {
    throw new Error(`Cannot begin: ${wrong.join(', ')}`, { cause: error });
  });
}

async function watch(fault: Fault, system: System, patience: number): Promise<readonly Seen[]> {
  const allowance = { leadSeconds: fault.leadSeconds ?? 20, recoverySeconds: fault.recoverySeconds ?? 30 };
  const watched = fault.expects.map((expected) => {
    const alert = findAlert(expected.alert);
    return { expected, alert, deadlines: deadlinesOf(alert, system.factor, allowance) };
  });
  const within =
    (part: keyof Deadlines) =>
    ({ deadlines }: { readonly deadlines: Deadlines }): number =>
      patience * deadlines[part];

  const begunMs = performance.now();
  let injectedMs: number | undefined;
  // Some take a while, and the alert may come before all of it is there.
  const [end, fired] = await Promise.all([
    fault.inject(system).finally(() => (injectedMs = performance.now())),
    note(
      watched,
      (item) => (injectedMs === undefined ? Number.POSITIVE_INFINITY : injectedMs - begunMs + within('fireMs')(item)),
      ({ expected }) => isFiring(system, expected),
    ),
  ]);
  const told = await note(
    watched.filter(({ expected, alert }) => fired.has(expected) && isTellable(alert.severity)),
    within('tellMs'),
    async ({ expected, alert }) => toldAtMs(system, expected, alert.severity, 'firing') !== undefined,
  );
  const endedMs = performance.now();
  await end();
  const resolved = await note(
    watched.filter(({ expected }) => fired.has(expected)),
    within('resolveMs'),
    async ({ expected }) => !(await isFiring(system, expected)),
  );
  const heard = await note(
    watched.filter(({ expected, alert }) => resolved.has(expected) && told.has(expected) && isTellable(alert.severity)),
    within('tellMs'),
    async ({ expected, alert }) => toldAtMs(system, expected, alert.severity, 'resolved') !== undefined,
  );

  const secondsSince = (atMs: number | undefined, sinceMs: number): number | undefined =>
    atMs === undefined ? undefined : (atMs - sinceMs) / 1000;
  return watched.map(({ expected, alert }) => ({
    expected,
    severity: alert.severity,
    firedSeconds: secondsSince(fired.get(expected), begunMs),
    toldSeconds: isTellable(alert.severity)
      ? secondsSince(toldAtMs(system, expected, alert.severity, 'firing'), begunMs)
      : null,
    // Whoever was told must hear that it is over.
    resolvedSeconds:
      told.has(expected) && !heard.has(expected) ? undefined : secondsSince(resolved.get(expected), endedMs),
  }));
}

const isTellable = (severity: string): boolean => severity === 'critical' || severity === 'warning';

async function isFiring({ monitoring }: System, expected: Expected): Promise<boolean> {
  const active = await monitoring.alerts();
  return active.some(({ labels, state }) => state === 'firing' && isExpected(labels, expected));
}

/** When the right one was first told of it, by what Alertmanager sent. */
function toldAtMs(
  { monitoring }: System,
  expected: Expected,
  severity: Seen['severity'],
  status: Told['status'],
): number | undefined {
  return monitoring.receiver.told.find(
    (each) => each.status === status && isToldTo(each.who, severity) && isExpected(each.labels, expected),
  )?.atMs;
}

/** When each was first seen to hold. Those that do not within the time are left out. */
async function note<Item extends { readonly expected: Expected }>(
  items: readonly Item[],
  timeoutOf: (item: Item) => number,
  holds: (item: Item) => Promise<boolean>,
): Promise<ReadonlyMap<Expected, number>> {
  const startMs = performance.now();
  const seen = new Map<Expected, number>();
  for (;;) {
    const open = items.filter((item) => !seen.has(item.expected) && performance.now() - startMs <= timeoutOf(item));
    if (open.length === 0) return seen;
    for (const item of open) if (await holds(item)) seen.set(item.expected, performance.now());
    await delay(pollMs);
  }
}
