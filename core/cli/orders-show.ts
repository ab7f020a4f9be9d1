import type { Command } from 'commander';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { parseOrderId } from './orders-options.ts';
import { moneyOf, phrase, textOf, toFields, toList, type Fields } from './orders-records.ts';
import { readStory, type OrderStory } from './orders-story.ts';
import { toTimeline, type TimelineEntry } from './orders-timeline.ts';
import { findRunningCore } from './running-core.ts';
import { formatFields, formatTable, plainText } from './text-table.ts';

/** `returnit orders show ID [--json]` */
export function registerOrdersShowCommand(orders: Command, deps: CommandDeps): void {
  orders
    .command('show')
    .description('an order with all that happened to it: steps, money, offers, messages, webhooks')
    .argument('<id>', 'which one', parseOrderId)
    .option('--json', 'as JSON')
    .action(async (id: string, { json }: { readonly json?: true }) => {
      const story = await readStory(await findRunningCore(deps.config), id);
      const timeline = toTimeline(story);
      if (json === true) writeJson(deps, { ...story, timeline });
      else deps.stdout.write(describeStory(story, timeline));
    });
}

/** Rows of `name` and whether there is anything, so that nothing and not known are told apart. */
const parts = [
  ['payments', 'payments'],
  ['offers', 'offers'],
  ['assignment', 'assignments'],
  ['notifications', 'messages'],
  ['deliveries', 'webhooks'],
] as const;

export function describeStory(story: OrderStory, timeline: readonly TimelineEntry[]): string {
  const { order, unavailable } = story;
  const summary = parts.map(([part, name]): readonly [string, string] => {
    const reason = unavailable[part];
    return [name, reason === undefined ? describePart(story, part) : `not available: ${reason}`];
  });
  const traces = [...new Set(timeline.flatMap(({ traceId }) => traceId ?? []))];
  const rows = timeline.map(({ at, part, what, traceId }) => [at, part, plainText(what), traceId ?? '-']);
  return [
    formatFields([
      ...describeOrder(order),
      ...summary,
      ['traces', traces.length === 0 ? 'none' : String(traces.length)],
    ]),
    '\n',
    rows.length === 0 ? 'Nothing is known to have happened\n' : formatTable(['AT', 'PART', 'WHAT', 'TRACE'], rows),
  ].join('');
}

function describeOrder(order: Fields): readonly (readonly [string, string | null])[] {
  const window = toFields(order['pickupWindow']);
  const attempt = textOf(order, 'attempt');
  return [
    ['order', textOf(order, 'orderId')],
    ['status', phrase(textOf(order, 'status'), attempt !== null && attempt !== '1' && `(attempt ${attempt})`)],
    ['customer', textOf(order, 'customerId')],
    ['partner', textOf(order, 'partnerId')],
    ['driver', textOf(order, 'driverId')],
    ['reference', textOf(order, 'reference')],
    ['retailer', phrase(textOf(order, 'retailer'), textOf(order, 'orderReference')) || null],
    ['pickup', describeAddress(toFields(order['pickup']))],
    ['window', phrase(textOf(window, 'start'), 'to', textOf(window, 'end'))],
    ['to', phrase(textOf(toFields(order['destination']), 'kind'), textOf(toFields(order['destination']), 'name'))],
    ['price', moneyOf(toFields(order['price']), 'amountMinor')],
    ['cancelled', textOf(order, 'cancelReason')],
  ];
}

function describeAddress(address: Fields): string {
  return ['line1', 'postalCode', 'city', 'region', 'country'].flatMap((name) => textOf(address, name) ?? []).join(', ');
}

function describePart(story: OrderStory, part: (typeof parts)[number][0]): string {
  if (part === 'assignment') {
    if (story.assignment === null) return 'none';
    const { assignment } = story;
    const steps = toList(assignment, 'history').length;
    return (
      phrase(
        textOf(assignment, 'status'),
        textOf(assignment, 'driverId'),
        textOf(assignment, 'holdReason'),
        steps > 0 && `· ${steps} steps`,
      ) || '1'
    );
  }
  const records = story[part];
  if (records.length === 0) return 'none';
  const states = records.map((record) => textOf(record, 'status') ?? textOf(record, 'state') ?? 'known');
  const counts = [...new Set(states)].map((state) => `${states.filter((each) => each === state).length} ${state}`);
  return counts.join(', ');
}
