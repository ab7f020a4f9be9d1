import type { Command } from 'commander';
import { isUuid } from '#core/jobs/job-id.ts';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { parseLimit } from './dead-letters-options.ts';
import { parseText } from './orders-options.ts';
import { phrase, textOf, toFields, toList, type Fields } from './orders-records.ts';
import { findRunningCore, type RunningCore } from './running-core.ts';
import { formatTable, plainText } from './text-table.ts';

interface FindOptions {
  readonly status?: string;
  readonly limit: number;
  readonly json?: true;
}

const pageMax = 100;
const cellMax = 50;

/** `returnit orders find TEXT [--status S] [--limit N] [--json]` */
export function registerOrdersFindCommand(orders: Command, deps: CommandDeps): void {
  orders
    .command('find')
    .description('orders by an id, or by words of references, retailers, names, addresses and parcels, newest first')
    .argument('<text>', 'what is known of it', parseText)
    .option('--status <status>', 'those alone that are so far, such as assigned', parseText)
    .option('--limit <orders>', 'how many, at most 1000', parseLimit, 20)
    .option('--json', 'as JSON')
    .action(async (text: string, options: FindOptions) => {
      const found = await find(await findRunningCore(deps.config), text, options);
      if (options.json === true) writeJson(deps, found);
      else if (found.length === 0) deps.stdout.write('There is no such order\n');
      else deps.stdout.write(formatTable(header, found.map(toRow)));
    });
}

async function find(core: RunningCore, text: string, { status, limit }: FindOptions): Promise<readonly Fields[]> {
  if (isUuid(text)) {
    const answer = await core.request('GET', `/orders/${text}`);
    if (answer.ok) return [answer.body];
  }
  const found: Fields[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ text, limit: String(Math.min(pageMax, limit - found.length)) });
    if (status !== undefined) query.set('status', status);
    if (cursor !== null) query.set('cursor', cursor);
    const page: unknown = await core.ask('GET', `/orders?${query.toString()}`);
    found.push(...toList(page, 'orders'));
    cursor = textOf(toFields(page), 'nextCursor');
  } while (cursor !== null && found.length < limit);
  return found;
}

const header = ['ID', 'STATUS', 'CREATED', 'CUSTOMER', 'DRIVER', 'REFERENCE', 'PICKUP'];

function toRow(order: Fields): string[] {
  const pickup = toFields(order['pickup']);
  const cells = [
    textOf(order, 'customerId'),
    textOf(order, 'driverId'),
    textOf(order, 'reference') ?? textOf(order, 'orderReference'),
    phrase(textOf(pickup, 'line1'), textOf(pickup, 'city')),
  ];
  return [
    ...['orderId', 'status', 'createdAt'].map((name) => textOf(order, name) ?? '-'),
    ...cells.map((cell) => plainText(cell ?? '-').slice(0, cellMax)),
  ];
}
