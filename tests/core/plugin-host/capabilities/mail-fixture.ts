/** ctx.mail as a plugin has it, behind the one door, and real mail servers for it. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import { createCallBudget } from '#core/plugin-host/call-budget.ts';
import { createMailCapability } from '#core/plugin-host/capabilities/mail.ts';
import { createInvoke } from '#core/plugin-host/invoke.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import { createFakeInstance } from '../../../support/fake-instance.ts';
import { certificate, startMailServer, type MailServerOptions } from '../../../support/mail-server.ts';
import { createFolder } from '../plugin-project.ts';
import { createTestTelemetry } from '../test-telemetry.ts';

export async function startServer(t: TestContext, behaviour: MailServerOptions = {}) {
  const server = await startMailServer(behaviour);
  t.after(() => server.stop());
  return server;
}

export interface MailOptions {
  readonly port?: number;
  readonly url?: string;
  readonly domains?: readonly string[];
  readonly config?: Partial<Config>;
  readonly callTimeoutMs?: number;
  readonly trusted?: boolean;
}

/** ctx.mail of a plugin that may write to these domains, through the one door. */
export async function createMail(t: TestContext, options: MailOptions) {
  const { port = 1, domains = ['*'] } = options;
  const dir = join(await createFolder(t), 'audit');
  const telemetry = createTestTelemetry();
  const audit = createAudit({ dir, config: { auditFileMaxBytes: 1_000_000 }, telemetry });
  const config = loadConfig(
    {},
    {
      smtpUrl: options.url ?? `smtp://localhost:${port}`,
      mailFrom: 'ReturnIt <service@returnit.example>',
      ...options.config,
    },
  );
  const capability = createMailCapability({ config, ...(options.trusted === false ? {} : { ca: certificate }) });
  t.after(async () => {
    await capability.stop?.();
    audit.stop();
  });
  const { invoke } = createInvoke({
    capabilities: [capability],
    permissions: createPermissions({
      plugins: [{ name: 'notifications', permissions: { mail: { domains: [...domains], why: 'to test' } } }],
      grants: { version: 1, grants: { notifications: { mail: [...domains] } } } as never,
    }),
    audit,
    telemetry,
    callTimeoutMs: options.callTimeoutMs ?? config.pluginCallTimeoutMs,
    budgetOf: () => createCallBudget(1000),
    onDenied: () => undefined,
  });
  const instance = createFakeInstance('notifications');
  const call = async (method: string, args: object): Promise<unknown> =>
    invoke(instance, { method, args, onCancel: () => undefined });
  return {
    telemetry,
    denials: async () => (await readAudit({ dir, limit: 100 })).map(({ resource }) => resource),
    isConfigured: async () => ((await call('mail.configured', {})) as { configured: boolean }).configured,
    send: (mail: object = {}) =>
      call('mail.send', {
        to: 'anna@example.com',
        subject: 'Your order',
        text: 'It is on its way.',
        messageId: 'n1',
        headers: [],
        ...mail,
      }) as Promise<{ messageId: string }>,
  };
}
