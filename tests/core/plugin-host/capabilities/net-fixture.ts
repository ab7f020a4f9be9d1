/** fetch() as a plugin has it, behind the one door, and real servers for it. */
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import { createCallBudget } from '#core/plugin-host/call-budget.ts';
import { createNetCapability } from '#core/plugin-host/capabilities/net.ts';
import { createInvoke } from '#core/plugin-host/invoke.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import type { PluginCalls } from '#core/plugin-host/protocol/calls.ts';
import { createFakeInstance } from '../../../support/fake-instance.ts';
import { createFolder } from '../plugin-project.ts';
import { createTestTelemetry } from '../test-telemetry.ts';

type FetchArgs = PluginCalls['net.fetch']['args'];
type FetchResult = PluginCalls['net.fetch']['result'];
export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Refused before anything connects to it. */
export const publicAddress = '1.1.1.1';

export async function startServer(t: TestContext, handler: Handler, host = '127.0.0.1') {
  const requests: { url: string; headers: IncomingMessage['headers']; method: string; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url = '', method = '', headers } = request;
      requests.push({ url, headers, method, body: Buffer.concat(chunks).toString() });
      handler(request, response);
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, requests };
}

/** fetch() of a plugin that asks for and is granted these hosts, through the one door. */
export async function createFetch(
  t: TestContext,
  options: {
    readonly hosts: readonly string[];
    readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
    readonly config?: Partial<Config>;
  },
) {
  const dir = join(await createFolder(t), 'audit');
  const telemetry = createTestTelemetry();
  const audit = createAudit({ dir, config: { auditFileMaxBytes: 1_000_000 }, telemetry });
  const config = loadConfig({}, options.config);
  const capability = createNetCapability({
    config,
    metrics: telemetry.metrics,
    hostsOf: () => options.hosts,
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
  });
  t.after(async () => {
    await capability.stop?.();
    audit.stop();
  });
  const { invoke } = createInvoke({
    capabilities: [capability],
    permissions: createPermissions({
      plugins: [{ name: 'payments', permissions: { net: { hosts: [...options.hosts], why: 'to test' } } }],
      grants: { version: 1, grants: { payments: { net: [...options.hosts] } } } as never,
    }),
    audit,
    telemetry,
    callTimeoutMs: config.pluginCallTimeoutMs,
    budgetOf: () => createCallBudget(1000),
    onDenied: () => undefined,
  });
  const instance = createFakeInstance('payments');
  return {
    metrics: async () => (await telemetry.metrics.render()).body,
    denials: async () => (await readAudit({ dir, limit: 100 })).map(({ resource }) => resource),
    async fetch(
      url: string,
      args: Partial<FetchArgs> & { timeoutMs?: number } = {},
    ): Promise<FetchResult & { text: string }> {
      const { timeoutMs, ...given } = args;
      const call = { method: 'net.fetch', onCancel: () => undefined };
      const request = { url, method: 'GET', headers: [], redirect: 'follow', ...given };
      const result = (await invoke(instance, { ...call, args: request, timeoutMs })) as FetchResult;
      return { ...result, text: Buffer.from(result.body, 'base64').toString() };
    },
  };
}

export const at = (...addresses: readonly string[]): readonly LookupAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
export const resolveTo =
  (hosts: Readonly<Record<string, readonly string[]>>) =>
  (host: string): Promise<readonly LookupAddress[]> =>
    Promise.resolve(at(...(hosts[host] ?? [])));
export const hello: Handler = (_request, response) => response.end('hello');
export const denied = (resource: string) => ({
  code: 'NOT_CAPABLE',
  message: new RegExp(`requires net access to "${resource.replace(/[[\].]/g, String.raw`\$&`)}"`),
});
