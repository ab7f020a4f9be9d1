import { kinds, type Kind, type Role } from './audience.ts';

/** The ways to reach people, in the order in which one stands in for another. */
export const contactChannels = ['push', 'sms', 'email'] as const;
export type ContactChannel = (typeof contactChannels)[number];
/** `log` is not a way to reach anybody: it keeps what there was to tell when nobody can be reached. */
export type ChannelName = ContactChannel | 'log';

/** `fallback`: only when no channel that is on can be used, or one has failed. */
export const modes = ['on', 'fallback', 'off'] as const;
export type Mode = (typeof modes)[number];

export type ChannelModes = Readonly<Record<Kind, Readonly<Record<ContactChannel, Mode>>>>;
export type ChosenModes = Readonly<Partial<Record<Kind, Readonly<Partial<Record<ContactChannel, Mode>>>>>>;

export interface QuietHours {
  /** Local, `22:00`. */
  readonly start: string;
  /** Local; the first minute that is not quiet. Before `start`: of the next day. */
  readonly end: string;
}

export interface Person {
  readonly role: Role;
  readonly personId: string;
  readonly email: string | null;
  /** E.164. */
  readonly phone: string | null;
  readonly pushToken: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly quietHours: QuietHours | null;
  /** Whether urgent messages come during quiet hours. */
  readonly urgentPasses: boolean;
  readonly channels: ChosenModes;
  /** Grows with each change; 0: nothing is known of them. */
  readonly version: number;
}

export function unknownPerson(role: Role, personId: string): Person {
  return {
    role,
    personId,
    email: null,
    phone: null,
    pushToken: null,
    locale: null,
    timeZone: null,
    quietHours: null,
    urgentPasses: true,
    channels: {},
    version: 0,
  };
}

/** What holds for whoever has not chosen. */
export const defaultModes: ChannelModes = {
  booking: { push: 'on', sms: 'fallback', email: 'on' },
  arrival: { push: 'on', sms: 'fallback', email: 'fallback' },
  parcels: { push: 'on', sms: 'fallback', email: 'on' },
  payment: { push: 'fallback', sms: 'off', email: 'on' },
  work: { push: 'on', sms: 'fallback', email: 'off' },
  account: { push: 'on', sms: 'fallback', email: 'on' },
};

export function modesOf({ channels }: Pick<Person, 'channels'>): ChannelModes {
  return Object.fromEntries(kinds.map((kind) => [kind, { ...defaultModes[kind], ...channels[kind] }])) as ChannelModes;
}

export function addressOf(person: Person, channel: ContactChannel): string | null {
  if (channel === 'email') return person.email;
  return channel === 'sms' ? person.phone : person.pushToken;
}

/**
 * By which channels somebody is told: those that are on; else the first that may stand in; the log, when none of them can
 * be used; none, when everything is off.
 */
export function chooseChannels(person: Person, kind: Kind, open: ReadonlySet<ContactChannel>): readonly ChannelName[] {
  const chosen = modesOf(person)[kind];
  const usable = contactChannels.filter((channel) => open.has(channel) && addressOf(person, channel) !== null);
  const on = usable.filter((channel) => chosen[channel] === 'on');
  if (on.length > 0) return on;
  const standIn = usable.find((channel) => chosen[channel] === 'fallback');
  if (standIn !== undefined) return [standIn];
  return contactChannels.every((channel) => chosen[channel] === 'off') ? [] : ['log'];
}

/** Who stands in for a channel that has failed, the likeliest first. */
export function standInsFor(
  person: Person,
  {
    kind,
    failed,
    open,
  }: { readonly kind: Kind; readonly failed: ContactChannel; readonly open: ReadonlySet<ContactChannel> },
): readonly ContactChannel[] {
  const chosen = modesOf(person)[kind];
  return contactChannels.filter(
    (channel) =>
      channel !== failed && open.has(channel) && addressOf(person, channel) !== null && chosen[channel] !== 'off',
  );
}

/** ASCII and one form alone, as the core takes it: `local@domain`, without quotes, comments and literals. */
export function isEmail(text: string): boolean {
  const [local = '', domain = '', ...rest] = text.split('@');
  return (
    rest.length === 0 &&
    text.length <= 254 &&
    /^(?!\.)(?!.*\.\.)(?!.*\.$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}$/.test(local) &&
    domain.split('.').length > 1 &&
    domain.split('.').every((label) => /^(?!-)[A-Za-z0-9-]{1,63}$/.test(label) && !label.endsWith('-')) &&
    /\.[A-Za-z][A-Za-z0-9-]+$/.test(domain)
  );
}

export const isPhone = (text: string): boolean => /^\+[1-9]\d{6,14}$/.test(text);

export const isPushToken = (text: string): boolean => /^[\x21-\x7e]{8,1024}$/.test(text);

export const isTimeOfDay = (text: string): boolean => /^([01]\d|2[0-3]):[0-5]\d$/.test(text);

export function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false; // A RangeError is how it says no.
  }
}

/** The canonical form of a language tag; undefined when it is none. */
export function toLocale(text: string): string | undefined {
  try {
    return text.length <= 35 ? Intl.getCanonicalLocales(text)[0] : undefined;
  } catch {
    return undefined; // A RangeError is how it says no.
  }
}
