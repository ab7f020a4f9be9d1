import { createHash } from 'node:crypto';

/**
 * `issue` and `withdraw`: a plugin gave somebody outside access, or took it back. `change`: ops changed a setting while the
 * core runs. `repair` notes the torn end of a file that
 * a crash left behind.
 */
export type AuditDecision =
  | 'deny'
  | 'native-deny'
  | 'budget'
  | 'grant'
  | 'revoke'
  | 'issue'
  | 'withdraw'
  | 'change'
  | 'repair';

/** `door`: invoke(). `node`: Node's permission model in the plugin's process. `operator`: a command, a prompt. */
export type AuditSource = 'door' | 'node' | 'operator' | 'audit';

export interface AuditRecord {
  readonly v: 1;
  readonly seq: number;
  /** ISO 8601. */
  readonly time: string;
  readonly plugin: string;
  readonly version: string;
  readonly permission: string;
  /** Bounded, on one line, without credentials. */
  readonly resource: string;
  readonly decision: AuditDecision;
  readonly rule: string;
  readonly source: AuditSource;
  readonly trace_id?: string;
  /** For `budget`: refusals since the last such record, this one included. */
  readonly count?: number;
  /** SHA-256 of the line before, so that a changed or missing line shows. */
  readonly prevHash: string;
}

export type AuditEntry = Omit<AuditRecord, 'v' | 'seq' | 'prevHash'>;

/** What the first record of all has as its `prevHash`. */
export const firstHash = '0'.repeat(64);

export function hashLine(line: Buffer | string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** undefined when the line is no whole record. */
export function parseAuditLine(line: Buffer | string): AuditRecord | undefined {
  try {
    const value: unknown = JSON.parse(line.toString());
    const isRecord = typeof value === 'object' && value !== null && 'seq' in value && 'prevHash' in value;
    return isRecord ? (value as AuditRecord) : undefined;
  } catch {
    return undefined; // torn by a crash, or not ours: the caller says which
  }
}
