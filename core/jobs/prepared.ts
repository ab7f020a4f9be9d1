import { hash } from 'node:crypto';
import type { QueryConfig } from 'pg';

/** Texts that are prepared on each connection: those of some hundred queues. */
const preparedMax = 500;
/**
 * A text without parameters is planned once for all. One that has run as often as this finds jobs to be planned for: planned
 * for an empty table it would read all jobs of its queue until the table is analysed.
 */
const plannedAfter = 200;

interface Prepared {
  readonly name: string;
  runs: number;
}

const byText = new Map<string, Prepared>();

/**
 * pg-boss's statements on a connection that prepares them. Its table has so many partial indexes that planning takes longer
 * than execution; the texts are the same for a queue, which stands in them. Several statements in one text cannot be prepared.
 */
export function toPrepared(text: string, values: unknown[] = []): QueryConfig {
  let prepared = byText.get(text);
  if (prepared === undefined) {
    if (byText.size >= preparedMax || text.includes(';')) return { text, values };
    prepared = { name: `pgboss_${hash('sha256', text, 'hex').slice(0, 32)}`, runs: 0 };
    byText.set(text, prepared);
  }
  prepared.runs += 1;
  return values.length === 0 && prepared.runs <= plannedAfter ? { text } : { name: prepared.name, text, values };
}
