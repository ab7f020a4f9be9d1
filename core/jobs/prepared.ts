import { hash } from 'node:crypto';
import type { QueryConfig } from 'pg';

/** Texts that are prepared on each connection: those of some hundred queues. */
const preparedMax = 500;
/** By text. */
const names = new Map<string, string>();

/**
 * pg-boss's statements on a connection that prepares them. Its table has so many partial indexes that planning takes longer
 * than execution; the texts are the same for a queue, which stands in them. What has no parameters is asked for rarely.
 */
export function toPrepared(text: string, values: unknown[] = []): QueryConfig {
  if (values.length === 0) return { text };
  let name = names.get(text);
  if (name === undefined && names.size < preparedMax) {
    name = `pgboss_${hash('sha256', text, 'hex').slice(0, 32)}`;
    names.set(text, name);
  }
  return { ...(name === undefined ? {} : { name }), text, values };
}
