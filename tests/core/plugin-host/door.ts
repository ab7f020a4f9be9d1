/** `invoke()` with a capability of the test's own behind it, as a plugin named orders meets it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { Type } from 'typebox';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { createCallBudget } from '#core/plugin-host/call-budget.ts';
import { method, type Call, type Capability } from '#core/plugin-host/capability.ts';
import { createInvoke, type InvokeRequest } from '#core/plugin-host/invoke.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import type { Tracing } from '#core/telemetry/tracing.ts';
import { createFakeInstance } from '../../support/fake-instance.ts';
import { createFolder } from './plugin-project.ts';
import { createTestTelemetry } from './test-telemetry.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

export const traceId = '0af7651916cd43dd8448eb211c80319c';
export const parentId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${parentId}-01`;
const Args = Type.Object(
  { queue: Type.String({ minLength: 1 }), count: Type.Optional(Type.Integer()) },
  { additionalProperties: false },
);

function createCapabilities(run: (call: Call) => unknown, noted: unknown[]): readonly Capability[] {
  const access = ({ queue }: { queue: string }) => [{ permission: 'jobs' as const, resource: queue }];
  return [
    {
      name: 'jobs',
      methods: {
        send: method<{ queue: string }>({ args: Args, access, run: (_args, call) => run(call) }),
        give: method<{ queue: string }>({
          args: Args,
          access,
          audited: { decision: 'issue', resource: ({ queue }) => `${queue} to kim` },
          run: (_args, call) => run(call),
        }),
        tell: method<{ queue: string }>({ args: Args, access, oneWay: true, run: (args) => void noted.push(args) }),
      },
    },
  ];
}

interface DoorOptions {
  /** What `jobs.send` and `jobs.give` do. @default answers `sent` */
  readonly run?: (call: Call) => unknown;
  /** Calls a second. @default 1000 */
  readonly budget?: number;
}

async function createDoor(t: TestContext, given: DoorOptions & { readonly tracing: Tracing }) {
  const dir = join(await createFolder(t), 'audit');
  const telemetry = createTestTelemetry();
  const audit = createAudit({ dir, config: { auditFileMaxBytes: 1_000_000 }, telemetry });
  t.after(() => audit.stop());
  const denied: string[] = [];
  const noted: unknown[] = [];
  const budget = createCallBudget(given.budget ?? 1000);
  const { invoke, note } = createInvoke({
    capabilities: createCapabilities(given.run ?? (() => 'sent'), noted),
    permissions: createPermissions({
      plugins: [{ name: 'orders', permissions: { jobs: { queues: ['orders.bill'] } } }],
      grants: { version: 1, grants: { orders: { jobs: ['orders.bill'] } } } as never,
    }),
    audit,
    telemetry,
    callTimeoutMs: 5000,
    budgetOf: () => budget,
    onDenied: ({ plugin }) => denied.push(plugin.name),
  });
  const instance = createFakeInstance('orders');
  return {
    telemetry,
    denied,
    noted,
    records: () => readAudit({ dir, limit: 100 }),
    auditDir: dir,
    stopAudit: () => audit.stop(),
    call: async (request: Partial<InvokeRequest> = {}) =>
      invoke(instance, {
        method: 'jobs.send',
        args: { queue: 'orders.bill' },
        traceparent,
        onCancel: () => undefined,
        ...request,
      }),
    note: (request: { method?: string; args?: unknown } = {}) =>
      note(instance, { method: 'jobs.tell', args: { queue: 'orders.bill' }, traceparent, ...request }),
    async counted(outcome: string, capability = 'jobs.send'): Promise<number> {
      const { body } = await telemetry.metrics.render();
      const labels = `{plugin="orders",capability="${capability}",outcome="${outcome}"}`;
      const line = body.split('\n').find((text) => text.startsWith(`returnit_plugin_capability_calls_total${labels} `));
      return Number(line?.split(' ')[1] ?? 0);
    },
    lastSpan() {
      const span = given.tracing.recentSpans(traceId).at(-1);
      assert.ok(span !== undefined);
      return span;
    },
  };
}

/** For the top of a `describe`, whose tests share one tracing. @returns makes a door */
export function useDoors() {
  let tracing: Tracing;
  before(async () => {
    tracing = await startTestTracing();
  });
  after(() => tracing.stop());
  return (t: TestContext, options: DoorOptions = {}) => createDoor(t, { ...options, tracing });
}
