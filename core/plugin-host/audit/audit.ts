/**
 * One record per denial, per grant change, per access that a plugin gives to somebody outside or takes back and per setting
 * that ops change at run time, always, written before the call is answered: when it cannot be written, the call fails.
 * Other calls that are allowed are only counted (returnit_plugin_capability_calls_total).
 */
import { trace } from '@opentelemetry/api';
import type { Config } from '#core/config/settings.ts';
import { redactText } from '#core/telemetry/redaction.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { openAuditLog, type AuditStream } from './audit-log.ts';
import type { AuditDecision, AuditEntry, AuditSource } from './audit-record.ts';
import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { Access } from '../capability.ts';
import { shownResource } from '../permissions/shown-resource.ts';

export interface Audit {
  /** A check said no. */
  denied(denial: {
    readonly plugin: PluginIdentity;
    readonly access: Access;
    readonly rule: string;
    readonly source: AuditSource;
    /** @default the active span's */
    readonly traceId?: string;
  }): void;
  /** Node's permission model said no, in the plugin's process. Both texts come from there. */
  nativeDenied(denial: {
    readonly plugin: PluginIdentity;
    readonly permission: string;
    readonly resource: string;
  }): void;
  /** At most one record a second for a plugin and capability, with the number of refusals since the last. */
  budgetSpent(refusal: { readonly plugin: PluginIdentity; readonly capability: string }): void;
  /** The operator granted, denied (`revoke`) or took back. */
  grantChanged(change: {
    readonly plugin: PluginIdentity;
    readonly access: Access;
    readonly decision: 'grant' | 'revoke';
    /** Who and how: `kim: returnit plugins grant`. */
    readonly rule: string;
  }): void;
  /** Somebody outside was given access (credentials of a device, a share link, an API key), or it was taken back. */
  accessChanged(change: {
    readonly plugin: PluginIdentity;
    /** `capability.method`. */
    readonly method: string;
    readonly decision: 'issue' | 'withdraw';
    readonly resource: string;
    /** Who and how, where no plugin did it. @default granted to the plugin */
    readonly rule?: string;
  }): void;
  /** Ops changed a setting of the running core. */
  settingChanged(change: {
    readonly plugin: PluginIdentity;
    readonly setting: string;
    readonly resource: string;
    /** Who. */
    readonly rule: string;
  }): void;
  /** Writes what is still counted, and makes everything durable. */
  stop(): void;
}

export interface CreateAuditOptions {
  /** `<dataDir>/audit`. */
  readonly dir: string;
  readonly config: Pick<Config, 'auditFileMaxBytes'>;
  /** Absent in commands. */
  readonly telemetry?: Telemetry;
  /** @default 'core' */
  readonly stream?: AuditStream;
  /** @default Date.now */
  readonly now?: () => number;
}

const ruleCharactersMax = 500;
const budgetWindowMs = 1000;

/** What somebody wanted; all else was refused. */
const changes: ReadonlySet<AuditDecision> = new Set(['grant', 'revoke', 'issue', 'withdraw', 'change']);

interface BudgetCount {
  readonly entry: Omit<AuditEntry, 'time' | 'count'>;
  recordedAtMs: number;
  /** Refusals not yet in a record. */
  open: number;
}

export function createAudit(options: CreateAuditOptions): Audit {
  const { telemetry, now = Date.now } = options;
  const logger = telemetry?.logger.child({ component: 'audit' });
  const counter = telemetry?.metrics.counter('returnit_audit_records_total');
  const log = openAuditLog({
    dir: options.dir,
    stream: options.stream ?? 'core',
    fileMaxBytes: options.config.auditFileMaxBytes,
    now,
    onSyncError: (error) => logger?.error({ err: error }, 'Cannot make the audit durable'),
  });

  function append(entry: Omit<AuditEntry, 'time'>): void {
    const record = log.append({ time: new Date(now()).toISOString(), ...entry });
    counter?.inc({ decision: record.decision });
    const level = changes.has(record.decision) ? 'info' : 'warn';
    const { v: _, prevHash: __, time: ___, ...fields } = record;
    logger?.[level]({ audit: fields }, sentence(record));
  }

  const budgets = gatherBudgets(append, now);
  return {
    denied({ plugin, access, rule, source, traceId }) {
      append(toEntry({ plugin, ...access, decision: 'deny', rule, source, traceId }));
    },
    nativeDenied({ plugin, permission, resource }) {
      append(
        toEntry({
          plugin,
          permission,
          resource,
          decision: 'native-deny',
          rule: 'the permission model of Node',
          source: 'node',
        }),
      );
    },
    budgetSpent: budgets.count,
    grantChanged({ plugin, access, decision, rule }) {
      append(toEntry({ plugin, ...access, decision, rule, source: 'operator' }));
    },
    accessChanged({ plugin, method, decision, resource, rule = 'granted to the plugin' }) {
      append(toEntry({ plugin, permission: method, resource, decision, rule, source: 'door' }));
    },
    settingChanged({ plugin, setting, resource, rule }) {
      append(toEntry({ plugin, permission: setting, resource, decision: 'change', rule, source: 'operator' }));
    },
    stop() {
      budgets.flush();
      log.stop();
    },
  };
}

/** A plugin that has spent its budget may go on asking thousands of times a second: that must not fill the disk. */
function gatherBudgets(
  append: (entry: Omit<AuditEntry, 'time'>) => void,
  now: () => number,
): { readonly count: Audit['budgetSpent']; flush(): void } {
  const budgets = new Map<string, BudgetCount>();
  return {
    count({ plugin, capability }) {
      const key = `${plugin.name} ${capability}`;
      const budget = budgets.get(key) ?? {
        entry: toEntry({
          plugin,
          permission: capability,
          resource: '',
          decision: 'budget',
          rule: 'limits.callsPerSecond',
          source: 'door',
        }),
        recordedAtMs: Number.NEGATIVE_INFINITY,
        open: 0,
      };
      budgets.set(key, budget);
      budget.open += 1;
      if (now() - budget.recordedAtMs < budgetWindowMs) return;
      append({ ...budget.entry, count: budget.open });
      budget.recordedAtMs = now();
      budget.open = 0;
    },
    flush() {
      for (const budget of budgets.values()) if (budget.open > 0) append({ ...budget.entry, count: budget.open });
      budgets.clear();
    },
  };
}

function toEntry(from: {
  readonly plugin: PluginIdentity;
  readonly permission: string;
  readonly resource: string;
  readonly decision: AuditDecision;
  readonly rule: string;
  readonly source: AuditSource;
  readonly traceId?: string | undefined;
}): Omit<AuditEntry, 'time'> {
  const traceId = from.traceId ?? trace.getActiveSpan()?.spanContext().traceId;
  return {
    plugin: from.plugin.name,
    version: from.plugin.version,
    permission: shownResource({ resource: redactText(from.permission) }),
    resource: shownResource({ resource: redactText(from.resource) }),
    decision: from.decision,
    rule: redactText(from.rule).slice(0, ruleCharactersMax),
    source: from.source,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
  };
}

function sentence({ plugin, version, permission, resource, decision }: AuditEntry): string {
  const subject = `${plugin}@${version}`;
  if (decision === 'budget') return `Refused ${permission} to ${subject}: its budget is spent`;
  if (decision === 'change') return `Changed ${permission}: ${resource}`;
  if (decision === 'issue' || decision === 'withdraw') {
    return `${decision === 'issue' ? 'Gave' : 'Took back'} access: ${subject} by ${permission} for "${resource}"`;
  }
  if (decision === 'grant' || decision === 'revoke') {
    return `${decision === 'grant' ? 'Granted' : 'Denied by the operator:'} ${permission} access to "${resource}" ${decision === 'grant' ? 'to' : 'for'} ${subject}`;
  }
  return `Denied ${permission} access to "${resource}" to ${subject}`;
}
