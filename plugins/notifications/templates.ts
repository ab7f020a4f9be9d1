import type { EventFacts, NotifiedEvent } from './notification.ts';

export interface RenderedText {
  readonly title: string;
  readonly body: string;
}

type Template = (facts: EventFacts) => RenderedText;

const because = (reason: string | undefined): string => (reason === undefined ? '' : ` Reason: ${reason}.`);

const english: Readonly<Record<NotifiedEvent, Template>> = {
  'order.created': () => ({
    title: 'We have your booking',
    body: 'Your pickup is booked. We are checking the payment and will then look for a driver.',
  }),
  'order.scheduled': () => ({ title: 'Your pickup is confirmed', body: 'The payment is reserved. A driver is next.' }),
  'order.assigned': () => ({
    title: 'A driver takes your order',
    body: 'You can watch where your driver is until your parcels have arrived.',
  }),
  'order.started': () => ({ title: 'Your driver is on the way', body: 'Please have your parcels ready.' }),
  'order.picked_up': () => ({ title: 'Your parcels are on board', body: 'The driver has picked up your parcels.' }),
  'order.delivered': () => ({ title: 'Your parcels have arrived', body: 'The driver has handed your parcels over.' }),
  'order.completed': () => ({ title: 'All done', body: 'Your return has been accepted. Thank you.' }),
  'order.cancelled': ({ reason }) => ({
    title: 'Your order is cancelled',
    body: `Your order is cancelled. A reserved payment is given back.${because(reason)}`,
  }),
  'payment.declined': ({ reason }) => ({
    title: 'Your payment was declined',
    body: `The payment for your pickup was declined.${because(reason)} Please book again with another method.`,
  }),
  'payment.failed': () => ({
    title: 'We could not reserve your payment',
    body: 'The payment provider did not answer for hours. If it has reserved anything, we have it given back. Please book again.',
  }),
  'driver.assigned': () => ({ title: 'A new pickup for you', body: 'Open the order to see where and when.' }),
  'driver.unavailable': ({ final }) =>
    final === true
      ? {
          title: 'We found no driver',
          body: 'No driver was free during your pickup window. We are sorry: please book again, or cancel the order.',
        }
      : {
          title: 'We are still looking for a driver',
          body: 'No driver is free near you right now. We keep looking during your pickup window.',
        },
};

const locales = { en: english } as const;
export type Locale = keyof typeof locales;

/** The text of an event in a language. */
export function render(event: NotifiedEvent, facts: EventFacts, locale: Locale = 'en'): RenderedText {
  return locales[locale][event](facts);
}
