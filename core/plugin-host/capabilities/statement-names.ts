import type { Statement } from '#plugin-api';
import { assertStatement } from '#core/database/statement-guard.ts';
import type { Labels } from '#core/telemetry/metrics.ts';

/** Each costs memory in every connection of the plugin, and is a label. */
const namesMax = 200;

/** What is known of a statement before it runs; worked out once for each that has a name. */
export interface KnownStatement {
  readonly name: string;
  readonly text: string;
  /** It may be prepared and named in metrics. */
  readonly named: boolean;
  /** `SELECT`; bounded, whatever the plugin writes. */
  readonly operation: string;
  /** Of its duration when it succeeds. */
  readonly labels: Labels;
}

export interface StatementNames {
  /**
   * A name belongs to the first text that uses it; the same name with another text, and names beyond the limit, run
   * unprepared and count as `other`.
   *
   * @throws {AppError} INVALID_CALL when a plugin may not run such a statement
   */
  admit(plugin: string, statement: Statement): KnownStatement;
}

export function createStatementNames(): StatementNames {
  const plugins = new Map<string, Map<string, KnownStatement>>();
  return {
    admit(plugin, { name, text }) {
      const statements = plugins.getOrInsertComputed(plugin, () => new Map());
      const known = statements.get(name);
      if (known?.text === text) return known;
      assertStatement(name, text);
      const named = known === undefined && statements.size < namesMax;
      const statement = describe(plugin, { name, text, named });
      if (named) statements.set(name, statement);
      return statement;
    },
  };
}

function describe(plugin: string, statement: Statement & { readonly named: boolean }): KnownStatement {
  const operation = toOperation(statement.text);
  const labels = {
    plugin,
    db_system_name: 'postgresql',
    db_namespace: plugin,
    db_operation_name: operation,
    db_query_summary: statement.named ? statement.name : 'other',
    error_type: '',
  };
  return { ...statement, operation, labels };
}

const operations = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'with',
  'values',
  'call',
  'truncate',
  'create',
  'alter',
  'drop',
  'refresh',
  'explain',
]);

function toOperation(text: string): string {
  const word = /^\s*([a-z]+)/i.exec(text)?.[1]?.toLowerCase() ?? '';
  return operations.has(word) ? word.toUpperCase() : 'OTHER';
}
