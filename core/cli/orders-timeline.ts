import { moneyOf, phrase, textOf, toList, type Fields } from './orders-records.ts';

export type Part = 'order' | 'payment' | 'offer' | 'assignment' | 'message' | 'webhook';

/** One thing that happened to an order. */
export interface TimelineEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly part: Part;
  readonly what: string;
  readonly traceId: string | null;
}

/** Everything that is known of an order, by where it came from. */
export interface StoryRecords {
  readonly order: Fields;
  /** With `operations` and `disputes` where the plugin tells them. */
  readonly payments: readonly Fields[];
  readonly offers: readonly Fields[];
  readonly assignment: Fields | null;
  readonly notifications: readonly Fields[];
  readonly deliveries: readonly Fields[];
}

/** In the order in which it happened. */
export function toTimeline(records: StoryRecords): readonly TimelineEntry[] {
  const entries = [
    ...toList(records.order, 'history').flatMap(toStep),
    ...records.payments.flatMap(toPaymentEntries),
    ...records.offers.flatMap(toOfferEntries),
    ...toList(records.assignment, 'history').flatMap(toAssignmentEntry),
    ...records.notifications.flatMap(toMessageEntries),
    ...records.deliveries.flatMap(toDeliveryEntries),
  ];
  const timeOf = ({ at }: TimelineEntry): number => Date.parse(at) || 0;
  return entries.toSorted((one, other) => timeOf(one) - timeOf(other));
}

/** Without a time there is no place in a timeline. */
function entry(
  part: Part,
  fields: Fields,
  { at, what }: { readonly at: string; readonly what: string },
): TimelineEntry[] {
  const time = textOf(fields, at);
  return time === null ? [] : [{ at: time, part, what, traceId: textOf(fields, 'traceId') }];
}

const after = (word: string, text: string | null): string | null => (text === null ? null : `${word} ${text}`);
const inBrackets = (text: string | null): string | null => (text === null ? null : `(${text})`);

function toStep(step: Fields): TimelineEntry[] {
  const action = textOf(step, 'action');
  const to = textOf(step, 'to');
  const by = phrase(textOf(step, 'actorKind'), textOf(step, 'actorId'));
  const what = phrase(
    to,
    action !== null && action !== to && `by ${action}`,
    after('from', textOf(step, 'from')),
    by !== '' && `· ${by}`,
    inBrackets(textOf(step, 'reason')),
  );
  return entry('order', step, { at: 'occurredAt', what });
}

function toPaymentEntries(payment: Fields): TimelineEntry[] {
  const made = phrase('opened', moneyOf(payment, 'amountMinor'));
  const currency = { currency: payment['currency'] };
  return [
    ...entry('payment', payment, { at: 'createdAt', what: made }),
    ...toList(payment, 'operations').flatMap((operation) => {
      const what = phrase(
        textOf(operation, 'kind'),
        moneyOf({ ...currency, ...operation }, 'amountMinor'),
        textOf(operation, 'status'),
        inBrackets(textOf(operation, 'failureReason') ?? textOf(operation, 'reason')),
      );
      const at = textOf(operation, 'answeredAt') === null ? 'createdAt' : 'answeredAt';
      return entry('payment', operation, { at, what });
    }),
    ...toList(payment, 'disputes').flatMap((dispute) => {
      const what = phrase(
        'disputed',
        moneyOf({ ...currency, ...dispute }, 'amountMinor'),
        textOf(dispute, 'state'),
        inBrackets(textOf(dispute, 'reason')),
      );
      return entry('payment', dispute, { at: 'openedAt', what });
    }),
  ];
}

function toOfferEntries(offer: Fields): TimelineEntry[] {
  const driver = textOf(offer, 'driverId') ?? 'a driver';
  const answeredAt = ['answeredAt', 'closedAt', 'endedAt'].find((name) => textOf(offer, name) !== null);
  const state = phrase(textOf(offer, 'state'), inBrackets(textOf(offer, 'reason')));
  const isOpen = answeredAt === undefined;
  return [
    ...entry('offer', offer, { at: 'createdAt', what: phrase('offered to', driver, isOpen && `· ${state}`) }),
    ...(isOpen ? [] : entry('offer', offer, { at: answeredAt, what: phrase(driver, state) })),
  ];
}

function toAssignmentEntry(step: Fields): TimelineEntry[] {
  const by = phrase(textOf(step, 'byKind'), textOf(step, 'byId'));
  const what = phrase(
    textOf(step, 'step'),
    textOf(step, 'driverId'),
    by !== '' && `· ${by}`,
    inBrackets(textOf(step, 'reason')),
  );
  return entry('assignment', step, { at: 'at', what });
}

function toMessageEntries(message: Fields): TimelineEntry[] {
  const to = phrase(textOf(message, 'recipientRole'), textOf(message, 'recipientId'));
  const what = phrase(
    textOf(message, 'template'),
    after('by', textOf(message, 'channel')),
    to !== '' && `to ${to}`,
    textOf(message, 'state'),
    inBrackets(textOf(message, 'lastError') ?? textOf(message, 'dropReason')),
  );
  return entry('message', message, { at: textOf(message, 'sentAt') === null ? 'createdAt' : 'sentAt', what });
}

function toDeliveryEntries(delivery: Fields): TimelineEntry[] {
  const attempts = textOf(delivery, 'attempts');
  const what = phrase(
    textOf(delivery, 'type'),
    after('to', textOf(delivery, 'partnerId')),
    textOf(delivery, 'state'),
    attempts !== null && `after ${attempts} attempt${attempts === '1' ? '' : 's'}`,
    inBrackets(textOf(delivery, 'lastError') ?? textOf(delivery, 'lastStatus')),
  );
  return entry('webhook', delivery, { at: textOf(delivery, 'finishedAt') === null ? 'createdAt' : 'finishedAt', what });
}
