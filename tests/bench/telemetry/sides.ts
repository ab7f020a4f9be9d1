import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startCore, type CoreProcess } from '../../support/core-process.ts';
import { book, placeOf } from '../../support/journey.ts';
import { startSpanCounter, type SpanCounter } from './span-counter.ts';

/**
 * What is traced: `apiOnly` has trace ids and records no span, `inMemory` keeps the newest (the default), `exporting` sends every
 * span to a receiver by the SDK; `noOps` has nothing in place of all telemetry.
 */
export const comparedNames = ['apiOnly', 'inMemory', 'exporting'] as const;
export type ComparedName = (typeof comparedNames)[number];
export type SideName = ComparedName | 'noOps';

export const sideNames: readonly SideName[] = [...comparedNames, 'noOps'];

export interface Side {
  readonly core: CoreProcess;
  /** Of the one order, from this side. */
  readonly url: string;
  readonly token: string;
}

export interface Sides {
  readonly sides: Readonly<Record<SideName, Side>>;
  /** Where the spans of `exporting` go. */
  readonly receiver: SpanCounter;
  stop(): Promise<void>;
}

type SideOptions = Pick<Parameters<typeof startCore>[0], 'environment' | 'nodeFlags'>;

/** For `nodeFlags`: no telemetry in this core. */
export const withoutTelemetry = ['--import', pathToFileURL(path.join(import.meta.dirname, 'no-telemetry.ts')).href];

/** Spans that wait for the receiver. What is dropped has cost nothing on its way, and would not be every span. */
const queueMax = 200_000;
/** One caller sends all requests: they are counted as ever, and none is refused. */
const readsPerMinute = 1_000_000_000;

/** Platforms in processes of their own, each with its own Postgres and one order booked. */
export async function startSides(): Promise<Sides> {
  const dataDirs: string[] = [];
  const receiver = await startSpanCounter();
  async function startSide({ environment, nodeFlags = [] }: SideOptions): Promise<Side> {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
    dataDirs.push(dataDir);
    const core = await startCore({
      dataDir,
      args: ['--plugins', 'orders'],
      nodeFlags,
      environment: { HTTP_READS_PER_MINUTE: String(readsPerMinute), ...environment },
    });
    const customer = await core.as('customer', 'bench');
    const { orderId } = await book(customer, placeOf(1));
    return { core, url: `${core.addresses.api}/orders/${orderId}`, token: customer.token ?? '' };
  }
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, TRACES_QUEUE_MAX: String(queueMax) };
  const sides = {
    apiOnly: await startSide({ environment: { TRACES_KEPT: '0', TRACES_TAIL_KEPT: '0' } }),
    inMemory: await startSide({}),
    noOps: await startSide({ nodeFlags: withoutTelemetry }),
    exporting: await startSide({ environment }),
  };
  return {
    sides,
    receiver,
    async stop() {
      await receiver.stop();
      for (const dataDir of dataDirs) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
