import autocannon from 'autocannon';
import { killCores } from '../../support/core-process.ts';
import { numberFlag } from '../flags.ts';
import { cpuOfTree } from '../process-cpu.ts';
import { median } from '../report.ts';
import { readTelemetry } from './read-telemetry.ts';
import {
  comparedNames,
  sideNames,
  startSides,
  type ComparedName,
  type Side,
  type SideName,
  type Sides,
} from './sides.ts';

export interface Round {
  readonly p99Ms: number;
  /** Of the core and its plugin, without Postgres and the receiver of spans. */
  readonly cpuUs: number;
}

/** Of two sides at once. */
export interface PairedRound {
  readonly side: Round;
  readonly baseline: Round;
}

/** Of the processes that were started together. */
export type Rounds = readonly PairedRound[];

export interface ComparedSides {
  /** By start. */
  readonly starts: Readonly<Record<ComparedName, readonly Rounds[]>>;
  /** Of the requests that `exporting` has counted: those whose span has reached the receiver. */
  readonly receivedShare: number;
  readonly spansPerRequest: number;
  readonly exportedBytesPerRequest: number;
}

/** To each side. */
const connections = 16;
/** A number, not a time: on a busy machine, too, the code is compiled before it is measured. */
const warmUpRequests = 20_000;
const spanName = 'GET /orders/{orderId}';

/**
 * Authenticated GET of one order, as `http` has it, from a side and the baseline at once: what slows the machine down for a
 * while slows down both. Processes of the same code differ by more than what is looked for, so there are several of each, one
 * after another. `--starts=`, `--rounds=` of each start, `--seconds=` of each round.
 */
export async function compareSides(): Promise<ComparedSides> {
  const starts: ComparedStart[] = [];
  for (let start = 0; start < numberFlag('starts', 6); start += 1) starts.push(await compareOnce());
  return {
    starts: {
      apiOnly: starts.map(({ rounds }) => rounds.apiOnly),
      inMemory: starts.map(({ rounds }) => rounds.inMemory),
      exporting: starts.map(({ rounds }) => rounds.exporting),
    },
    receivedShare: Math.min(...starts.map(({ receivedShare }) => receivedShare)),
    spansPerRequest: median(starts.map(({ spansPerRequest }) => spansPerRequest)),
    exportedBytesPerRequest: median(starts.map(({ exportedBytesPerRequest }) => exportedBytesPerRequest)),
  };
}

interface ComparedStart extends Omit<ComparedSides, 'starts'> {
  readonly rounds: Readonly<Record<ComparedName, Rounds>>;
}

async function compareOnce(): Promise<ComparedStart> {
  const started = await startSides();
  try {
    const asked = { apiOnly: 0, inMemory: 0, exporting: 0, noOps: 0 };
    const rounds: Record<ComparedName, PairedRound[]> = { apiOnly: [], inMemory: [], exporting: [] };
    const ask = async (name: SideName, length: Length): Promise<Round> => {
      const { round, requests } = await load(started.sides[name], length);
      asked[name] += requests;
      return round;
    };
    for (const name of sideNames) await ask(name, { amount: warmUpRequests });
    const length = { duration: numberFlag('seconds', 4) };
    for (let round = 0; round < numberFlag('rounds', 3); round += 1) {
      for (const name of comparedNames) {
        const [side, baseline] = await Promise.all([ask(name, length), ask('noOps', length)]);
        rounds[name].push({ side, baseline });
        // What was received is read now, not in the round of another.
        await started.receiver.read();
      }
    }
    const counted = await readCounts(started.sides, asked);
    return { rounds, ...(await countReceived(started, counted.exporting)) };
  } finally {
    await killCores();
    await started.stop();
  }
}

type Length = { readonly amount: number } | { readonly duration: number };

async function load({ core, url, token }: Side, length: Length): Promise<{ round: Round; requests: number }> {
  const cpu = (): number => cpuOfTree(core.child.pid ?? 0, (name) => !name.startsWith('postgres'));
  const before = cpu();
  const result = await autocannon({ url, connections, ...length, headers: { authorization: `Bearer ${token}` } });
  const requests = result['2xx'];
  if (result.non2xx + result.errors > 0) {
    const statuses = JSON.stringify(result.statusCodeStats);
    throw new Error(`Cannot compare: ${url} answered ${statuses}, and ${result.errors} requests failed`);
  }
  const cpuUs = (cpu() - before) / requests;
  return { round: { p99Ms: result.latency.p99, cpuUs }, requests };
}

/**
 * The requests that each side has counted; a load that ends leaves some unanswered, so these are a few more. Each must be
 * what it is taken for: two count what they were asked, one of them keeps its spans, and one knows nothing.
 */
async function readCounts(
  sides: Sides['sides'],
  asked: Readonly<Record<SideName, number>>,
): Promise<Readonly<Record<SideName, number>>> {
  const counts = { apiOnly: 0, inMemory: 0, exporting: 0, noOps: 0 };
  for (const name of sideNames) {
    const { counted, metrics, traces } = await readTelemetry(sides[name].core.addresses.ops, '/orders/{orderId}');
    const isRight = name === 'noOps' ? metrics === 0 : counted >= asked[name];
    if (!isRight || traces > 0 !== (name === 'inMemory'))
      throw new Error(`Cannot compare: ${name} answered ${asked[name]}, counted ${counted} and keeps ${traces} traces`);
    counts[name] = counted;
  }
  return counts;
}

/** A core sends what it has left when it stops. */
async function countReceived({ sides, receiver }: Sides, requests: number): Promise<Omit<ComparedSides, 'starts'>> {
  for (const name of sideNames) await sides[name].core.end('SIGTERM');
  const { served, spans, bytes } = await receiver.read();
  return {
    receivedShare: (served[spanName] ?? 0) / requests,
    spansPerRequest: spans / requests,
    exportedBytesPerRequest: bytes / requests,
  };
}
