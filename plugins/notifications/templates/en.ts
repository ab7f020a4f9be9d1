import { sentence, type Language } from './template.ts';

export const english: Language = {
  words: {
    seeOrder: 'See your order',
    footer:
      'You get this message because of a pickup with ReturnIt. Channels and quiet hours can be changed in your settings.',
  },
  reasons: {
    card_declined: 'the card was declined',
    insufficient_funds: 'there are not enough funds',
    expired_card: 'the card has expired',
    card_expired: 'the card has expired',
    amount_over_limit: 'the amount is over the limit of the card',
    nobody_home: 'nobody opened',
    not_ready: 'the parcels were not ready',
    refused: 'they were not handed over',
    wrong_address: 'the address was not found',
    no_access: 'there was no way in',
    too_large: 'the parcels are too large',
    damaged: 'the parcels are damaged',
    no_driver: 'no driver was free',
    other: '',
    suspended: 'your account is suspended',
    silent: 'we have not heard from your phone',
    withdrawn: 'it was withdrawn',
    reassigned: 'another driver takes it',
    cancelled: 'the order is cancelled',
  },
  documents: {
    licence: 'driving licence',
    insurance: 'insurance',
    registration: 'vehicle registration',
    identity: 'proof of identity',
  },
  templates: {
    'order.created': (_facts, { window, money }) => ({
      title: 'We have your booking',
      paragraphs: [
        `Your pickup is booked${window === '' ? '' : ` for ${window}`}.`,
        `We are checking the payment${money === '' ? '' : ` of ${money}`} and will then look for a driver.`,
      ],
      short: `Your pickup is booked${window === '' ? '' : ` for ${window}`}.`,
    }),
    'order.scheduled': ({ attempt }, { window }) => ({
      title: (attempt ?? 1) > 1 ? 'Your new pickup is confirmed' : 'Your pickup is confirmed',
      paragraphs: [`The payment is reserved. A driver is next.`, ...(window === '' ? [] : [`Your pickup: ${window}.`])],
      short: `Your pickup is confirmed${window === '' ? '' : `: ${window}`}.`,
    }),
    'order.assigned': (_facts, { window }) => ({
      title: 'A driver takes your order',
      paragraphs: [
        ...(window === '' ? [] : [`Your pickup: ${window}.`]),
        'You can watch where your driver is until your parcels have arrived.',
      ],
      short: 'A driver takes your order. Watch where your driver is in the app.',
    }),
    'order.unassigned': () => ({
      title: 'We look for another driver',
      paragraphs: ['Your driver cannot come. We are looking for another one; there is nothing you need to do.'],
      short: 'Your driver cannot come. We are looking for another one.',
    }),
    'order.started': () => ({
      title: 'Your driver is on the way',
      paragraphs: ['Please have your parcels ready.'],
      short: 'Your driver is on the way. Please have your parcels ready.',
    }),
    'order.arrived': () => ({
      title: 'Your driver is there',
      paragraphs: ['Your driver is at your door. Please hand your parcels over.'],
      short: 'Your driver is at your door.',
    }),
    'order.picked_up': () => ({
      title: 'Your parcels are on board',
      paragraphs: ['The driver has picked up your parcels.'],
      short: 'Your parcels are picked up.',
    }),
    'order.pickup_failed': ({ attemptsLeft, reason: code }, { reason }) => ({
      title: 'We could not pick up your parcels',
      paragraphs: [
        code === 'no_driver'
          ? 'We are sorry: no driver was free during your pickup window.'
          : `Our driver was with you and could not pick up your parcels.${sentence('Reason', reason)}`,
        attemptsLeft === 0
          ? 'There is no further try for this order. Cancel it, or ask us.'
          : 'Choose a new time: open the order and take "Reschedule". Until then the order waits; you can also cancel it there.',
      ],
      short:
        attemptsLeft === 0
          ? 'We could not pick up your parcels, and there is no further try.'
          : 'We could not pick up your parcels. Open the order to choose a new time.',
    }),
    'order.delivered': () => ({
      title: 'Your parcels have arrived',
      paragraphs: ['The driver has handed your parcels over.'],
      short: 'Your parcels have arrived.',
    }),
    'order.completed': () => ({
      title: 'All done',
      paragraphs: ['Your return has been accepted. Thank you.'],
      short: 'All done: your return has been accepted.',
    }),
    'order.cancelled': (_facts, { reason }) => ({
      title: 'Your order is cancelled',
      paragraphs: [
        `Your order is cancelled.${sentence('Reason', reason)}`,
        'What was reserved and is not due is given back.',
      ],
      short: 'Your order is cancelled.',
    }),
    'payment.declined': (_facts, { reason }) => ({
      title: 'Your payment was declined',
      paragraphs: [
        `The payment for your pickup was declined.${sentence('Reason', reason)}`,
        'Please book again with another method.',
      ],
      short: 'Your payment was declined. Please book again with another method.',
    }),
    'payment.failed': () => ({
      title: 'We could not reserve your payment',
      paragraphs: [
        'The payment provider did not answer for hours. If it has reserved anything, we have it given back.',
        'Please book again.',
      ],
      short: 'We could not reserve your payment. Please book again.',
    }),
    'payment.captured': ({ orderId }, { money }) => ({
      title: 'Your receipt',
      paragraphs: [
        `We have charged ${money === '' ? 'what was reserved' : money} for your pickup.`,
        ...(orderId === null ? [] : [`Order ${orderId}`]),
      ],
      short: `We have charged ${money === '' ? 'what was reserved' : money} for your pickup.`,
    }),
    'payment.refunded': ({ orderId }, { money }) => ({
      title: 'You get money back',
      paragraphs: [
        `We have sent ${money === '' ? 'your money' : money} back to your payment method. It may take a few days to arrive.`,
        ...(orderId === null ? [] : [`Order ${orderId}`]),
      ],
      short: `We have sent ${money === '' ? 'your money' : money} back to you.`,
    }),
    'driver.unavailable': () => ({
      title: 'We are still looking for a driver',
      paragraphs: ['No driver is free near you right now. We keep looking during your pickup window.'],
      short: 'No driver is free right now. We keep looking.',
    }),
    'driver.assigned': () => ({
      title: 'A new pickup for you',
      paragraphs: ['Open the order to see where and when.'],
      short: 'A new pickup for you. Open the order to see where and when.',
    }),
    'driver.unassigned': (_facts, { reason }) => ({
      title: 'A pickup is no longer yours',
      paragraphs: [`A pickup was taken from your list.${sentence('Reason', reason)}`],
      short: 'A pickup was taken from your list.',
    }),
    'driver.order_cancelled': () => ({
      title: 'A pickup is cancelled',
      paragraphs: ['The order is cancelled: you need not go there.'],
      short: 'A pickup of yours is cancelled.',
    }),
    'driver.offered': (_facts, { time }) => ({
      title: 'A pickup is offered to you',
      paragraphs: [`Accept or decline it in the app${time === '' ? '' : ` until ${time}`}.`],
      short: `A pickup is offered to you${time === '' ? '' : ` until ${time}`}.`,
    }),
    'driver.approved': () => ({
      title: 'You can start',
      paragraphs: ['Your registration is approved. Begin a shift and you will get pickups.'],
      short: 'Your registration is approved. You can begin a shift.',
    }),
    'driver.suspended': (_facts, { reason }) => ({
      title: 'Your account is suspended',
      paragraphs: [`You get no pickups for the time being.${sentence('Reason', reason)}`, 'Please ask us what to do.'],
      short: 'Your driver account is suspended. Please ask us what to do.',
    }),
    'driver.document_expiring': (_facts, { document, date }) => ({
      title: 'A document of yours expires',
      paragraphs: [
        `${document === '' ? 'A document' : `Your document "${document}"`} expires${date === '' ? ' soon' : ` on ${date}`}.`,
        'Send us a new one in time: without it you get no pickups.',
      ],
      short: `${document === '' ? 'A document' : `"${document}"`} expires${date === '' ? ' soon' : ` on ${date}`}. Send us a new one.`,
    }),
    'webhook.endpoint_disabled': ({ host }) => ({
      title: 'Your webhook is switched off',
      paragraphs: [
        `Your server ${host === null ? '' : `${host} `}does not take our messages; we send it none any more.`,
        'Mend it, switch the webhook on again, and have what was missed sent again.',
      ],
      short: 'Your webhook is switched off: your server did not take our messages.',
    }),
  },
};
